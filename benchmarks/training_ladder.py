"""Share of peak over the ladder of data and model sizes: the preset ``share-of-peak`` as a user runs it.

Every problem is measured in the reference execution and in the tuned one. Shares are of the measured
ceiling of the number format that ran, and of the vendor's peak where that is known. That ceiling is the best
that was seen before the sweep: where the speed of a machine changes from minute to minute, a point and its
ceiling are of different machines. The shares of tuned points are therefore found once more, in turns of each
step and of matrix products alone, and judged is what these turns tell.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.bars import judge
from benchmarks.saih_command import saih
from benchmarks.training_contest import Member, products, session
from benchmarks.turn_takers import all_ready
from benchmarks.turns_of_two import quotient, steps_of
from saih.domain.interval import Interval
from workloads.execution import Execution

SWEEP = "share-of-peak"
LARGEST_LIMIT_PERCENT = 60.0
TURNS_S, QUICK_TURNS_S = 40.0, 10.0
"""At most, of turns of one step and of products."""
_NOISE = 0.02
"""Part of a share by which the next rung may be below it: what a share is known to."""
_QUICK = ("--set", "timing.budget_s=2")
_PHASES = ("input_wait", "forward", "backward", "communication", "optimizer", "other")
Points = Sequence[Mapping[str, Any]]


def main(arguments: Sequence[str]) -> int:
    """Print the ladder in each execution, and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 s for each point")
    parser.add_argument("--results", type=Path, help="results of the sweep that are there already")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="saih-ladder-") as name:
        folder = options.results.parent if options.results else Path(name)
        if not options.results:
            saih(folder, ["sweep", SWEEP, "--no-report", *(_QUICK if options.quick else ())])
        points: Points = saih(folder, ["analyze", SWEEP, "--json"]).document["points"]
    by_execution = _by_execution(points)
    for execution, its in by_execution.items():
        _show(execution, its)
    return 0 if _judge(by_execution["tuned"], QUICK_TURNS_S if options.quick else TURNS_S) else 1


def _by_execution(points: Points) -> dict[str, Points]:
    """The points of each execution, from the cheapest sample on."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for point in sorted(points, key=_flops_per_sample):
        found.setdefault(_execution(point)["name"], []).append(point)
    return dict(found)


def _judge(tuned: Points, turns_s: float) -> bool:
    print("\nin turns with products")
    shares = [_share_in_turns(point, turns_s) for point in tuned]
    for point, share in zip(tuned, shares, strict=True):
        print(
            f"{_words(point):<56} {100 * share.value:.1f} % [{100 * share.low:.1f}, {100 * share.high:.1f}] "
            f"in {share.count} pairs; {_percent(point['share_of_peak'])} of the ceiling before the sweep",
            flush=True,
        )
    falls = [fall for ladder in _model_ladders(tuned, shares) for fall in _falls(ladder)]
    largest = max(share.value for share in shares)
    met = [
        judge("share of peak along models, worst fall", 100 * max(falls, default=0.0), "points", "<=", 0),
        judge("share of the measured peak, largest", 100 * largest, "%", ">=", LARGEST_LIMIT_PERCENT),
    ]
    return all(met)


def _share_in_turns(point: Mapping[str, Any], limit_s: float) -> Interval:
    """Rate of a tuned step over that of matrix products in its number format."""
    asked, execution = point["point"], Execution(**point["execution"])
    data, model = asked["data"], asked["model"]
    member = Member(
        resolution=data["resolution"],
        width=model["width"],
        batch=asked["batch_per_rank"],
        threads=asked["placement"]["threads_per_rank"],
        device=asked["placement"]["device"],
    )
    flops = _flops_per_sample(point) * member.batch
    makers = session("tuned", member, execution), products(member, execution.precision)
    with all_ready(makers) as (step, bare):
        step_s = steps_of(step)
        return quotient(lambda: flops / step_s(), lambda: float(bare.turn()), limit_s)


def _model_ladders(points: Points, shares: Sequence[Interval]) -> list[list[float]]:
    """Shares of each data size, from the smallest model on."""
    found: dict[str, list[float]] = {}
    for point, share in zip(points, shares, strict=True):
        found.setdefault(point["labels"].get("data", ""), []).append(share.value)
    return list(found.values())


def _falls(shares: Sequence[float]) -> list[float]:
    """By how much a share lies below the one before it, where that is more than noise."""
    return [before - after for before, after in pairwise(shares) if after < before * (1 - _NOISE)]


def _show(execution: str, points: Points) -> None:
    print(f"\n{execution}")
    print(
        f"{'problem':<56} {'samples/s':>10} {'GFLOP/s':>9} {'of measured':>12} {'of vendor':>10} "
        f"{'GiB':>6}  {'step split [%]: ' + ', '.join(_PHASES)}"
    )
    for point in points:
        rates = f"{point['samples_per_s']['value']:>10.2f} {point['flops_per_s']['value'] / 1e9:>9.1f}"
        shares = f"{_percent(point['share_of_peak']):>12} {_percent(point['share_of_vendor_peak']):>10}"
        memory = (point["peak_memory_bytes"] or 0) / 2**30
        print(f"{_words(point):<56} {rates} {shares} {memory:>6.2f}  {_split(point)}")
        print(f"{'':<4} {_settings(point)}")


def _words(point: Mapping[str, Any]) -> str:
    return ", ".join(words for axis, words in point["labels"].items() if axis != "execution")


def _split(point: Mapping[str, Any]) -> str:
    whole = point["step_ns"]["value"]
    return " ".join(f"{100 * point['phases_ns'][phase]['value'] / whole:.0f}" for phase in _PHASES)


def _percent(share: Mapping[str, Any] | None) -> str:
    return "" if share is None else f"{100 * share['value']:.1f} %"


def _flops_per_sample(point: Mapping[str, Any]) -> float:
    return float(point["flops_per_s"]["value"] / point["samples_per_s"]["value"])


def _execution(point: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = point["point"].get("execution", {"name": "plain"})
    return found


def _settings(point: Mapping[str, Any]) -> str:
    """What ran, where the analysis tells more than the name."""
    ran = Execution(**point["execution"])
    return ran.words or "as plain"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
