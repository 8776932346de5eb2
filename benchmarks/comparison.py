"""Known-truth table of comparisons: how often intervals hold, and how often equals are called different.

Two synthetic systems grow as size^1.02 and size^1.21 and cross at a known size: the table tells how often
ratios and crossing lie in their 95 % intervals, and how often a crossing is told at all. Two copies of one
system, with noise from run to run that the comparison is not told, must not be called different in any way:
not at a point, not on the mean, not in growth, not by a crossing. Series without a step must give no alarm,
and a step of 10 % in noise of 2 % must be found where it is.

    python -m benchmarks.comparison [--quick]
"""

import argparse
import math
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison_systems import CROSSING, alike, crossing_systems
from saih.analyzer.change_detector import first_p_value, steps_of
from saih.analyzer.comparison import compare
from saih.analyzer.history import ALARM_RATE
from saih.domain.comparison import Pair

NOISES = ((0.02, 0.0, 1), (0.05, 0.0, 1), (0.02, 0.02, 1), (0.02, 0.02, 3), (0.05, 0.0, 2), (0.03, 0.03, 5))
"""Noise of each point, noise of each run, runs of each system."""
SHAPES = ((3, 1), (5, 1), (4, 3))
LENGTHS = (6, 8, 12, 20, 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Shares over seeds."""

    ratios: float
    told: float
    crossings: float


def main(arguments: list[str]) -> int:
    """Print the tables and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer seeds")
    num_seeds = 40 if parser.parse_args(arguments).quick else 200
    crossed = _crossings(num_seeds)
    false = _false_differences(num_seeds)
    alarms, found = _histories(5 * num_seeds)
    slack = math.sqrt(0.05 * 0.95 / num_seeds) if num_seeds < 200 else 0.0  # few seeds tell less
    bars = [
        _bar("ratio-in-interval", min(one.ratios for one in crossed), ">=", 0.90),
        _bar("crossing-in-interval", min(one.crossings for one in crossed), ">=", 0.90),
        _bar("crossing-told", min(one.told for one in crossed), ">=", 0.90),
        _bar("false-difference", max(false), "<=", 0.05 + slack),
        _bar("false-alarm", max(alarms), "<=", 0.05),
        _bar("step-found", min(found), ">=", 0.90),
    ]
    return 0 if all(bars) else 1


def _crossings(num_seeds: int) -> list[Crossed]:
    print(
        f"two systems that cross at {CROSSING:.0f}, {num_seeds} seeds\n"
        "  own  run  runs  ratios in  crossing told  in"
    )
    rows = []
    for own, shared, runs in NOISES:
        pairs = [
            compare(crossing_systems(np.random.default_rng(seed), own, shared, runs)).pairs[0]
            for seed in range(num_seeds)
        ]
        row = _crossed(pairs)
        rows.append(row)
        print(f"{own:5.0%}{shared:5.0%}{runs:6d}{row.ratios:11.3f}{row.told:15.3f}{row.crossings:7.3f}")
    return rows


def _crossed(pairs: list[Pair]) -> Crossed:
    ratios, crossings, told = [], [], 0
    for pair in pairs:
        for point in pair.matched:
            size = point.axis_sizes["data"]
            truth = 0.25 * size**1.21 / size**1.02
            ratios.append(point.speed_ratio.low <= truth <= point.speed_ratio.high)
        found = [one.size for curve in pair.curves for one in curve.crossings]
        told += len(found) == 1
        crossings += [size.low <= CROSSING <= size.high for size in found]
    return Crossed(
        ratios=float(np.mean(ratios)), told=told / len(pairs), crossings=float(np.mean(crossings or [False]))
    )


def _false_differences(num_seeds: int) -> list[float]:
    print(
        f"\ntwo copies of one system, any difference called, {num_seeds} seeds\n"
        "  own  run  runs  points  share"
    )
    shares = []
    for shape in SHAPES:
        for own, shared, runs in NOISES:
            called = [
                _any_difference(
                    compare(alike(np.random.default_rng(seed), own, shared, runs, shape)).pairs[0]
                )
                for seed in range(num_seeds)
            ]
            shares.append(float(np.mean(called)))
            print(f"{own:5.0%}{shared:5.0%}{runs:6d}{shape[0] * shape[1]:8d}{shares[-1]:7.3f}")
    return shares


def _any_difference(pair: Pair) -> bool:
    return (
        any(point.is_different for point in pair.matched)
        or any(view.is_different for view in pair.views)
        or any(curve.crossings for curve in pair.curves)
        or any(curve.exponents is not None and curve.exponents.is_different for curve in pair.curves)
    )


def _histories(num_seeds: int) -> tuple[list[float], list[float]]:
    print(
        f"\nseries of one system, noise 2 %, {num_seeds} seeds\n"
        "runs  false alarms  step of 10 % found in place"
    )
    generator = np.random.default_rng(31)
    alarms, found = [], []
    for length in LENGTHS:
        quiet = 0.02 * generator.standard_normal((num_seeds, length))
        alarms.append(float(np.mean([first_p_value(row) < ALARM_RATE for row in quiet])))
        hits = [_is_found(row, int(generator.integers(3, length - 2))) for row in quiet]
        found += [float(np.mean(hits))] if length >= 12 else []
        print(f"{length:4d}{alarms[-1]:14.3f}{np.mean(hits):29.3f}")
    return alarms, found


def _is_found(quiet: NDArray[np.float64], place: int) -> bool:
    """Whether just one step is found, within one run of where it is, and its size inside its interval."""
    values = quiet + np.where(np.arange(len(quiet)) >= place, math.log(0.9), 0.0)
    if first_p_value(values) >= ALARM_RATE:
        return False
    steps = steps_of(values, ALARM_RATE)
    near = [step for step in steps if abs(step.place - place) <= 1]
    return bool(near) and abs(near[0].size - math.log(0.9)) <= near[0].half_width


def _bar(name: str, value: float, operator: str, limit: float) -> bool:
    passed = value >= limit if operator == ">=" else value <= limit
    print(f"BAR {name}: {value:.3f} share (bar {operator} {limit:.3g}) {'PASS' if passed else 'FAIL'}")
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
