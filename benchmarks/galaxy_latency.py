"""How long several unequal devices need for one request, against baselines and against what is possible.

Whole models, one sequence, links held to 125 and 1000 Mbit/s by the kernel (tbf in network namespaces),
devices **paced**: they sleep for as long as their products would take at the speed given. Each way is planned
once and then takes turns with the others: ours (exact, and int8 on the links), Galaxy's own heuristic with
its one tile a device, Megatron-LM's tensor parallelism and sequence parallelism by even splits (the remainder
on the fastest device, the best that an even split can be), and the fastest device alone. The bound of a plan
is the slower of computing and sending: no overlap can be better. Before anything is timed, devices compute
two real layers of the model together, and the answer must be that of one device.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model on one set of devices and links; times in ms."""

    model: str
    environment: str
    rate_mbit: float
    took_ms: Mapping[str, float]
    bound_ms: Mapping[str, float]
    compute_ms: float
    """Of the slowest device of our plan."""
    link_ms: float
    """Of its busiest link."""
    foreseen_ms: float
    plan: str

    @property
    def of_bound(self) -> float:
        """The share of what is possible that ours reaches."""
        return self.bound_ms["ours"] / self.took_ms["ours"]

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
        print(_line(row), flush=True)
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
        best = min(took for way, took in row.took_ms.items() if not way.startswith("ours"))
        met.append(
            judge(f"{name}: over the best baseline", best / row.took_ms["ours"], "x", ">=", NOT_SLOWER)
        )
        if (row.environment, row.rate_mbit) == (GAIN_ENVIRONMENT, GAIN_RATE):
            megatron = row.took_ms["megatron"]
            met.append(
                judge(f"{name}: over even Megatron", megatron / row.took_ms["ours"], "x", ">=", OVER_MEGATRON)
            )
            int8 = megatron / row.took_ms["ours int8"]
            met.append(judge(f"{name}: over even Megatron, int8", int8, "x", ">=", INT8_OVER_MEGATRON))
    return met


def _row(name: str, found: Mapping[str, Any]) -> Row:
    environment, rate_mbit, model = name.split("/")
    ways = found["ways"]
    return Row(
        model=model,
        environment=environment,
        rate_mbit=float(rate_mbit),
        took_ms={way: median(ways[way]["took_ns"]) / 1e6 for way in ways},
        bound_ms={way: ways[way]["bound_ns"] / 1e6 for way in ways},
        compute_ms=ways["ours"]["compute_ns"] / 1e6,
        link_ms=ways["ours"]["link_ns"] / 1e6,
        foreseen_ms=ways["ours"]["foreseen_ns"] / 1e6,
        plan=ways["ours"]["plan"],
    )


def _line(row: Row) -> str:
    took = "".join(f" {row.took_ms[way]:10.0f}" for way in WAYS)
    return (
        f"{row.model:11} {row.environment:10} {row.rate_mbit:6g} {row.bound_ms['ours']:7.0f} "
        f"{row.of_bound:6.3f}{took}  {row.plan} (foreseen {row.foreseen_ms:.0f})"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
