"""Made-up series and steps with known truths: errors beyond the range, honest intervals, knees, crossings.

Sizes 1, 2, ... 32 (or the first four; with one outlier; with noise that grows), three runs each, noise of 2
and 8 %; foreseen at 2, 4 and 8 times the largest size. Every run has fresh draws; the seed is printed.

    python -m benchmarks.known_truths [--quick] [--seed N]
"""

import argparse
import secrets
import sys
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from benchmarks import known_truths_components as components
from benchmarks import known_truths_series as series
from benchmarks.bars import judge
from benchmarks.known_truths_crossings import crossing_hits, crossing_size
from benchmarks.known_truths_knees import knee_bars
from benchmarks.known_truths_series import CONDITIONS, NOISES, PLAIN, Tally
from saih.analyzer.series import trend_of
from saih.domain.series import Reading, Series, SeriesKind

Tallies = dict[str, list[Tally]]
_WIDTH = 42


def main(arguments: list[str]) -> int:
    """Print the tables and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args(arguments)
    seed = given.seed if given.seed is not None else secrets.randbelow(2**31)
    generator = np.random.default_rng(seed)
    num_draws = 12 if given.quick else 60
    print(f"seed {seed}, {num_draws} draws for each case, noise and condition")
    held = _series_tables(num_draws, generator)
    held["components"], plain = _component_table(num_draws, generator)
    passed = []
    print("\nclass coverage of 90 % intervals (mean over cases, conditions, noises and targets)")
    for name, tallies in held.items():
        share = float(np.mean([tally.hits.mean() for tally in tallies]))
        passed.append(judge(f"coverage-{name}-least", share, "share held", ">=", 0.85))
        passed.append(judge(f"coverage-{name}-most", share, "share held", "<=", 0.95))
    for sigma, limit in zip(NOISES, (0.10, 0.20), strict=True):
        error = float(np.median([tally.errors[:, 2] for tally in plain[sigma]]))
        passed.append(judge(f"components-x8-error-at-{100 * sigma:.0f}", error, "median error", "<=", limit))
    passed.append(_flag_bar(generator))
    passed += _crossing_bars(num_draws, generator)
    passed += knee_bars(150 if given.quick else 400, generator)
    return 0 if all(passed) else 1


def _header(title: str) -> None:
    columns = "".join(f"{f'{100 * sigma:.0f} %: x2  x4  x8   held':>32}" for sigma in NOISES)
    print(f"\n{title}: median error in % at each target, and share of new measurements held")
    print(f"{'':{_WIDTH}}{columns}")


def _row(name: str, tallies: Mapping[float, Tally]) -> None:
    cells = ""
    for tally in tallies.values():
        errors = " ".join(f"{100 * value:5.0f}" for value in np.median(tally.errors, axis=0))
        cells += f"{errors}   {tally.hits.mean():5.2f}".rjust(32)
    print(f"{name:{_WIDTH}}{cells}")


def _series_tables(num_draws: int, generator: np.random.Generator) -> Tallies:
    """Totals; those whose change of regime is unseen are shown, and count in no class."""
    held: Tallies = defaultdict(list)
    for condition in CONDITIONS:
        _header(f"whole values, {condition.name}")
        for case in series.CASES:
            if case.is_unseen and condition is not PLAIN:
                continue
            found = {sigma: series.tally(case, condition, sigma, num_draws, generator) for sigma in NOISES}
            _row(f"{case.kind:7}{case.name}{'  UNSEEN' if case.is_unseen else ''}", found)
            if not case.is_unseen:
                held[case.kind] += found.values()
    return held


def _component_table(
    num_draws: int, generator: np.random.Generator
) -> tuple[list[Tally], dict[float, list[Tally]]]:
    """All tallies, and by noise those of the reference cases under plain conditions."""
    held: list[Tally] = []
    plain: dict[float, list[Tally]] = defaultdict(list)
    for condition in CONDITIONS:
        _header(f"steps from their phases, {condition.name}")
        for case in (*components.CASES, *components.OFF_LIBRARY):
            found = {
                sigma: components.tally(case, condition, sigma, num_draws, generator) for sigma in NOISES
            }
            _row(case.name, found)
            held += found.values()
            if condition is PLAIN and case in components.CASES:
                for sigma, tally in found.items():
                    plain[sigma].append(tally)
    return held, plain


def _flag_bar(generator: np.random.Generator) -> bool:
    """Whole values alone must carry the warning that another regime may come."""
    unseen = [case for case in series.CASES if case.is_unseen]
    flagged = 0
    for case in unseen:
        found = series.measured(case.truth(series.SIZES), np.full(len(series.SIZES), NOISES[0]), generator)
        trend = trend_of(_as_series(case, found.values.tolist()))
        flagged += any(
            check.passed is not True and "unseen regime" in check.statement for check in trend.checks
        )
    return judge("unseen-regimes-flagged", flagged / len(unseen), "share of series", ">=", 1.0)


def _as_series(case: series.Case, values: list[float]) -> Series:
    readings = tuple(
        Reading(size=float(size), value=value, written=f"{value:g}", place=f"size {size:g}")
        for size, value in zip(series.SIZES, values, strict=True)
    )
    return Series(
        name=case.name,
        source="made up",
        axis="size",
        size_label="size",
        kind=SeriesKind(case.kind),
        unit="s",
        whole=readings,
    )


def _crossing_bars(num_draws: int, generator: np.random.Generator) -> list[bool]:
    print(f"\n{'crossings of parts':{_WIDTH}}{'true size':>12}{'noise':>8}{'foreseen':>10}{'held':>8}")
    hits: list[bool] = []
    foreseen = []
    for case in components.CASES:
        if case.overtakes is None:
            continue
        for sigma in NOISES:
            found = crossing_hits(case, sigma, num_draws, generator)
            own = [hit for hit in found if hit is not None]
            hits += own
            foreseen.append(len(own) / len(found))
            share = float(np.mean(own)) if own else float("nan")
            size = crossing_size(case)
            print(f"{case.name:{_WIDTH}}{size:12.1f}{100 * sigma:6.0f} %{foreseen[-1]:10.2f}{share:8.2f}")
    return [
        judge("crossings-held", float(np.mean(hits)), "share of intervals", ">=", 0.85),
        judge("crossings-foreseen", float(np.mean(foreseen)), "share of draws", ">=", 0.85),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
