"""How long several unequal devices need for one request, against baselines and against what is possible.

Whole models, one sequence, links held to 125 and 1000 Mbit/s by the kernel (tbf in network namespaces),
devices **paced**: they sleep for as long as their products would take at the speed given. Each way is planned
once and then takes turns with the others: ours (exact, and int8 on the links), Galaxy's own heuristic with
its one tile a device, Megatron-LM's tensor parallelism and sequence parallelism by even splits (the remainder
on the fastest device, the best that an even split can be), and the fastest device alone. The bound of a plan
is the slower of computing and sending: no overlap can be better; beside the bar of int8 stands what no plan
reaches, all FLOPs on all devices at once. Forecasts are held against what ours took. Before anything is
timed, devices compute two real layers of the model together, and the answer must be that of one device; how
far it is with int8 is told.

    python -m benchmarks.galaxy_latency [--quick] [--models ...] [--devices ...] [--rates ...] [--keep FILE]

The whole takes some hours, since paced devices take their time; the options choose parts of it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bars import judge
from benchmarks.galaxy_rig import devices
from benchmarks.kept_results import Kept, each_result, of_sources
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.ladder import named

NUM_TOKENS = 284
"""Mean length of the sequences of Galaxy's evaluation (reference: QNLI of GLUE)."""
ENVIRONMENTS: Mapping[str, tuple[float, ...]] = {
    "2 equal": (4.0, 4.0),
    "3 equal": (4.0, 4.0, 4.0),
    "4 equal": (4.0, 4.0, 4.0, 4.0),
    "2 unequal": (2.0, 1.0),
    "20:10:5": (4.0, 2.0, 1.0),
}
"""Speeds of the devices in units of ``SPEEDS``."""
SPEEDS: Mapping[str, float] = {
    "distilbert": 5e9,
    "bert-large": 5e9,
    "gpt2-774m": 5e9,
    "opt-1.3b": 20e9,
    "opt-2.7b": 20e9,
}
"""FLOP/s of the slowest of unequal devices; equal ones are like the fastest, so that computing and sending
take about as long at 125 Mbit/s. Larger models are given to faster boards, or a request takes minutes."""
RATES_MBIT = (125.0, 1000.0)
WAYS = ("ours", "ours int8", "heuristic", "megatron", "sequence", "local")
REPEATS, QUICK_REPEATS = 3, 2
QUICK_MODELS = ("distilbert",)
QUICK_ENVIRONMENTS = ("2 equal", "20:10:5")
OF_BOUND, OF_BOUND_BALANCED, BALANCED = 0.90, 0.85, 0.30
OVER_MEGATRON, INT8_OVER_MEGATRON = 2.5, 3.2
GAIN_ENVIRONMENT, GAIN_RATE = "20:10:5", 125.0
SURE = 1.02
"""Of a bound from link rates that were measured: what is further beyond shows that it is none."""
NOT_SLOWER = 0.98
"""A plan may be so much slower than the best of its baselines: what timings scatter."""
FORECAST_ERROR = 0.10
"""Of our own plans: how far a median may be from what was foreseen."""
OURS = ("ours", "ours int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model on one set of devices and links; times in ms."""

    model: str
    environment: str
    rate_mbit: float
    took_ms: Mapping[str, float]
    bound_ms: Mapping[str, float]
    foreseen_ms: Mapping[str, float]
    error: Mapping[str, float]
    """Of the answer of two real layers, relative to its greatest value."""
    compute_ms: float
    """Of the slowest device of our plan."""
    link_ms: float
    """Of its busiest link."""
    plan: str

    @property
    def of_bound(self) -> float:
        """The share of what is possible that ours reaches."""
        return self.bound_ms["ours"] / self.took_ms["ours"]

    @property
    def forecast_error(self) -> float:
        """Of our plans, the one that is further from what was foreseen."""
        return max(abs(self.took_ms[way] / self.foreseen_ms[way] - 1.0) for way in OURS)

    @property
    def flops_ms(self) -> float:
        """All FLOPs on all devices at once, none of which ever rests."""
        speed = sum(ENVIRONMENTS[self.environment]) * SPEEDS[self.model]
        return num_flops(named(self.model), NUM_TOKENS) / speed * 1e3

    @property
    def is_balanced(self) -> bool:
        """Whether computing and sending take about as long, which is the hardest to overlap."""
        larger = max(self.compute_ms, self.link_ms)
        return abs(self.compute_ms - self.link_ms) <= BALANCED * larger


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one model, two sets of devices, fewer turns")
    parser.add_argument("--models", nargs="+", choices=tuple(SPEEDS), help="only these")
    parser.add_argument(
        "--devices", nargs="+", choices=tuple(ENVIRONMENTS), help="only these sets of devices"
    )
    parser.add_argument("--rates", nargs="+", type=float, choices=RATES_MBIT, help="only these [Mbit/s]")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="of results: a run that was ended goes on")
    options = parser.parse_args(arguments)
    models = options.models or (QUICK_MODELS if options.quick else tuple(SPEEDS))
    environments = options.devices or (QUICK_ENVIRONMENTS if options.quick else tuple(ENVIRONMENTS))
    print(f"paced devices, {NUM_TOKENS} tokens, float32; medians of turns [ms]")
    print(f"{'model':11} {'devices':10} {'Mbit/s':>6} {'bound':>7} {'of it':>6}", end="")
    print("".join(f" {way:>10}" for way in WAYS) + "  plan")
    repeats = QUICK_REPEATS if options.quick else REPEATS
    kept: Kept[str] | None = (
        Kept(options.keep, of_sources(f"latency, {repeats} turns")) if options.keep else None
    )
    cases = product(environments, options.rates or RATES_MBIT, models)
    names = [f"{environment}/{rate_mbit:g}/{model}" for environment, rate_mbit, model in cases]
    rows = []
    for name, found in each_result(names, partial(measured, repeats), kept):
        row = _row(name, found)
        print(line_of(row), flush=True)
        rows.append(row)
    return 0 if all(judged(rows)) else 1


def measured(repeats: int, name: str) -> Mapping[str, Any]:
    """One model on one set of devices and links, all ways in turn."""
    environment, rate_mbit, model = name.split("/")
    speeds = ENVIRONMENTS[environment]
    mix = ":".join(f"{speed * SPEEDS[model] / 1e9:g}" for speed in speeds)
    asked = {
        "data": {"sequence": NUM_TOKENS, "speeds": mix},
        "model": {"name": model},
        "ways": WAYS,
        "repeats": repeats,
    }
    with devices([f"d{place}" for place in range(len(speeds))], float(rate_mbit)) as rig:
        return rig.run("benchmarks.galaxy_latency_worker", asked)


def judged(rows: Sequence[Row]) -> list[bool]:
    """One bar for each claim."""
    met = []
    for row in rows:
        name = f"paced {row.model}, {row.environment}, {row.rate_mbit:g} Mbit/s"
        limit = OF_BOUND_BALANCED if row.is_balanced else OF_BOUND
        met.append(judge(f"{name}: of the bound", row.of_bound, "", ">=", limit))
        met.append(judge(f"{name}: no faster than its bound", row.of_bound, "", "<=", SURE))
        met.append(judge(f"{name}: error of the forecast", row.forecast_error, "share", "<=", FORECAST_ERROR))
        best = min(took for way, took in row.took_ms.items() if way not in OURS)
        met.append(
            judge(f"{name}: over the best baseline", best / row.took_ms["ours"], "x", ">=", NOT_SLOWER)
        )
        if (row.environment, row.rate_mbit) == (GAIN_ENVIRONMENT, GAIN_RATE):
            megatron = row.took_ms["megatron"]
            met.append(
                judge(f"{name}: over even Megatron", megatron / row.took_ms["ours"], "x", ">=", OVER_MEGATRON)
            )
            int8 = megatron / row.took_ms["ours int8"]
            claim = f"{name}: over even Megatron, int8 (by FLOPs at most {megatron / row.flops_ms:.2f} x)"
            met.append(judge(claim, int8, "x", ">=", INT8_OVER_MEGATRON))
    return met


def num_flops(architecture: TransformerArchitecture, num_tokens: int) -> float:
    """Of the products of all layers, a multiply-add being 2; pairs that a mask hides are left out."""
    hidden, queries = architecture.hidden_size, architecture.attention_size
    pairs = num_tokens * (num_tokens + 1) / 2 if architecture.is_decoder else num_tokens**2
    weights = hidden * (2 * queries + 2 * architecture.kv_size)
    weights += hidden * (3 if architecture.has_gate else 2) * architecture.ffn_size
    return architecture.num_layers * (2.0 * num_tokens * weights + 4.0 * pairs * queries)


def _row(name: str, found: Mapping[str, Any]) -> Row:
    environment, rate_mbit, model = name.split("/")
    ways = found["ways"]
    return Row(
        model=model,
        environment=environment,
        rate_mbit=float(rate_mbit),
        took_ms={way: median(ways[way]["took_ns"]) / 1e6 for way in ways},
        bound_ms={way: ways[way]["bound_ns"] / 1e6 for way in ways},
        foreseen_ms={way: ways[way]["foreseen_ns"] / 1e6 for way in ways},
        error={way: ways[way]["error"] for way in ways},
        compute_ms=ways["ours"]["compute_ns"] / 1e6,
        link_ms=ways["ours"]["link_ns"] / 1e6,
        plan=ways["ours"]["plan"],
    )


def line_of(row: Row) -> str:
    """One row of the table."""
    took = "".join(f" {row.took_ms[way]:10.0f}" for way in WAYS)
    return (
        f"{row.model:11} {row.environment:10} {row.rate_mbit:6g} {row.bound_ms['ours']:7.0f} "
        f"{row.of_bound:6.3f}{took}  {row.plan} (foreseen {row.foreseen_ms['ours']:.0f}, int8 "
        f"{row.foreseen_ms['ours int8']:.0f}; int8 is off by {row.error['ours int8']:.2g})"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
