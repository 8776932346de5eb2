"""Adaptive against full grid: the same precision of the trend with at most a third of the node-time.

    python -m benchmarks.adaptive [--quick] [--seed N]

Known truths: step laws over sizes or ranks, and over products of them; runs differ by 2 %, steps of one run
by 5 %, and each point is measured until the rule of the harness stops it. A point takes node-time as its
nodes and steps do. Real: the points of the measured sweeps in results/reference are chosen among, and their
steps are cut where the rule would have stopped. Errors are those of steps that were not measured; within
asked counts all steps. All short is the node-time of the full grid, measured as shortly as the adaptive one.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.adaptive_real import real_sweeps
from benchmarks.adaptive_sweep import Outcome, Truth, adaptive, full
from benchmarks.bars import judge
from saih.analyzer.terms import GROWTH, OWN_WORK, SHARED_WORK
from saih.domain.point import Timing
from saih.planner.adaptive import relaxed

Array = NDArray[np.float64]

Trial = tuple[Outcome, Outcome, Outcome]
"""Adaptive, the full grid, and the full grid measured as shortly."""
SHARE_BAR, WITHIN_BAR = 1 / 3, 0.9
PRECISION = 0.1
_REAL = "real: "


def _smooth(left: Array, right: Array) -> Array:
    return (left**8 + right**8) ** 0.125


def _line(name: str, law: Callable[[Array], Array], *, kind: str, count: int = 6) -> Truth:
    library = {"strong": SHARED_WORK, "weak": OWN_WORK, "size": GROWTH}[kind]
    sizes = tuple((float(size),) for size in np.exp2(np.linspace(0, 5, count)))
    if kind != "size":
        sizes = tuple((float(2**power),) for power in range(count))
    return Truth(
        name=name,
        sizes=sizes,
        step_s=lambda place: float(law(np.array([place[0]]))[0]) / 10,
        nodes=(lambda place: place[0]) if kind != "size" else (lambda place: 1.0),
        library=library,
    )


def _product(name: str, law: Callable[[Array], float], counts: Sequence[int], rank_axis: int | None) -> Truth:
    axes = [np.exp2(np.arange(count)) for count in counts]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(counts))
    return Truth(
        name=name,
        sizes=tuple(tuple(float(size) for size in row) for row in grid),
        step_s=lambda place: law(np.array(place)) / 10,
        nodes=(lambda place: place[rank_axis]) if rank_axis is not None else (lambda place: 1.0),
        library=GROWTH,
    )


def truths() -> tuple[Truth, ...]:
    """Shapes of known-truth trials: one axis first, then products of axes."""
    return (
        _line("Amdahl", lambda p: 1 + 40 / p, kind="strong"),
        _line("Amdahl + log", lambda p: 0.5 + 40 / p + 0.15 * np.log2(p), kind="strong"),
        _line("U-shape", lambda p: 0.2 + 40 / p + 0.02 * p, kind="strong"),
        _line("input pipeline", lambda p: _smooth(0.9 + 0 * p, 40 / p), kind="strong"),
        _line("ring all-reduce", lambda p: 1 + 0.6 * (p - 1) / p + 0.004 * p, kind="weak"),
        _line("tree", lambda p: 1 + 0.1 * np.log2(p), kind="weak"),
        _line("contention", lambda p: 1 + 0.03 * p**0.75, kind="weak"),
        _line("affine", lambda n: 2 + 0.5 * n, kind="size"),
        _line("attention", lambda n: 1 + 0.3 * n + 0.004 * n**2, kind="size"),
        _line("n log n", lambda n: 1 + 0.3 * n * np.log2(n + 1), kind="size"),
        _line("roofline", lambda n: _smooth(3 + 0 * n, 0.12 * n), kind="size"),
        _line("cache knee", lambda n: 0.2 * n + 0.4 * np.maximum(n - 24, 0), kind="size"),
        _product("data x model", lambda z: 0.5 + 0.1 * z[0] * z[1] ** 1.5, (5, 5), None),
        _product(
            "data x ranks",
            lambda z: float(0.3 + 0.5 * z[0] + 0.2 * (z[1] - 1) / z[1] + 0.01 * z[1]),
            (5, 6),
            1,
        ),
        _product(
            "data x model x ranks",
            lambda z: float(0.4 + 0.1 * z[0] * z[1] + 0.1 * z[1] * (z[2] - 1) / z[2] + 0.02 * np.log2(z[2])),
            (4, 4, 5),
            2,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One grid, over all draws."""

    name: str
    shares: Array
    adaptive_errors: Array
    """Of every place that adaptive left out, all draws together, in log."""
    full_errors: Array
    """Of the same places as the full grid measured them."""
    halves: Array
    num_points: Array
    num_all: int
    reached: Array
    plain: Array
    """Share of node-time of the full grid whose points are measured as shortly as those of the adaptive."""
    errors: Array
    """Of every place, all draws together, in log."""
    asked: float


def main(arguments: Sequence[str]) -> int:
    """Run all and print the table and the bars; 0 when the bars are passed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}; asked precision {PRECISION:.0%} (half-width, 90 %)")
    generator = np.random.default_rng(seed)
    num_draws = 3 if asked.quick else 20
    rows = []
    for truth in truths():
        many = num_draws if len(truth.sizes) < 20 else max(2, num_draws // 4)
        rows.append(_row(truth.name, [_trial(truth, generator) for _ in range(many)]))
    for real in real_sweeps(PRECISION):
        trial = (real.adaptive, real.full, real.short)
        rows.append(_row(f"{_REAL}{real.name} ({real.asked:.0%})", [trial], real.asked))
    _print(rows)
    return 0 if _judge(rows) else 1


def _trial(truth: Truth, generator: np.random.Generator) -> Trial:
    short = relaxed(Timing(), PRECISION)
    return adaptive(truth, PRECISION, generator), full(truth, generator), full(truth, generator, short)


def _row(name: str, trials: Sequence[Trial], asked: float = PRECISION) -> _Row:
    pairs = [(one, whole) for one, whole, _ in trials]
    return _Row(
        name=name,
        shares=np.array([one.node_s / whole.node_s for one, whole in pairs]),
        adaptive_errors=np.concatenate([_errors(one, one) for one, _ in pairs]),
        full_errors=np.concatenate([_errors(whole, one) for one, whole in pairs]),
        halves=np.array([max(one.half_widths.values()) for one, _ in pairs]),
        num_points=np.array([len(one.measured) for one, _ in pairs]),
        num_all=len(pairs[0][1].measured),
        reached=np.array([one.is_reached for one, _ in pairs]),
        plain=np.array([short.node_s / whole.node_s for _, whole, short in trials]),
        errors=np.abs([error for one, _ in pairs for error in one.errors.values()]),
        asked=asked,
    )


def _errors(outcome: Outcome, chosen: Outcome) -> Array:
    """Errors of the places that the adaptive one did not measure."""
    left = chosen.half_widths.keys() - chosen.measured
    return np.array([abs(outcome.errors[point_id]) for point_id in sorted(left)])


def _print(rows: Sequence[_Row]) -> None:
    print(
        f"{'grid':24} {'points':>9} {'share of node-time':>26} {'reached':>8} {'half-width':>11} "
        f"{'error not measured':>19} {'within':>7} {'full grid':>10} {'all short':>9}"
    )
    heads = ("", "", "p10 median p90", "", "largest", "median p90", "asked")
    print("{:24} {:>9} {:>26} {:>8} {:>11} {:>19} {:>7}".format(*heads))
    for row in rows:
        low, middle, high = np.quantile(row.shares, [0.1, 0.5, 0.9])
        some = row.adaptive_errors if len(row.adaptive_errors) else np.zeros(1)
        all_errors = row.full_errors if len(row.full_errors) else np.zeros(1)
        print(
            f"{row.name:24} {np.median(row.num_points):4.0f} of {row.num_all:2d} "
            f"{low:10.2f} {middle:7.2f} {high:7.2f} {np.mean(row.reached):8.0%} "
            f"{np.median(row.halves):11.1%} {np.median(some):10.1%} {np.quantile(some, 0.9):8.1%} "
            f"{np.mean(row.errors <= row.asked):7.0%} {np.median(all_errors):10.1%} "
            f"{np.median(row.plain):9.2f}"
        )


def _judge(rows: Sequence[_Row]) -> bool:
    shares = np.array([np.median(row.shares) for row in rows])
    within = float(np.mean([np.mean(row.errors <= row.asked) for row in rows]))
    left = [np.mean(row.adaptive_errors <= row.asked) for row in rows if len(row.adaptive_errors)]
    reached = float(np.mean([np.mean(row.reached) for row in rows]))
    print(f"share of node-time over grids: {_spread(shares)}; asked precision reached in {reached:.0%}")
    print(f"steps that were not measured are known within the asked precision in {np.mean(left):.1%}")
    real = [share for row, share in zip(rows, shares, strict=True) if row.name.startswith(_REAL)]
    return all(
        [
            judge("adaptive-node-time-share", float(np.median(shares)), "share", "<=", SHARE_BAR),
            judge("adaptive-node-time-share-real", float(np.median(real)), "share", "<=", SHARE_BAR),
            judge("adaptive-steps-within-asked", within, "share", ">=", WITHIN_BAR),
        ]
    )


def _spread(values: Array) -> str:
    names: Mapping[str, float] = {"least": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "most": 1.0}
    return ", ".join(f"{name} {np.quantile(values, place):.2f}" for name, place in names.items())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
