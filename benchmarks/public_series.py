"""Hold-out bake-off on public measured series: our laws, Extra-P, a power law and the last slope.

From the first 4 or more points of a series every later one up to eight times as large is foreseen. Our
constants (weights of the voices, factors of the intervals) are fitted anew for each source with that source
left out; the judged forecasts never saw it. Extra-P runs in an environment of its own, made at the first run.

    python -m benchmarks.public_series [--series FILE] [--quick]
"""

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.bars import judge
from benchmarks.calibration import law_of
from benchmarks.extrap_peer import extrap_forecasts
from benchmarks.public_series_corpus import Task, find_file, make_tasks, read_series
from benchmarks.public_series_intervals import left_out_coverage
from benchmarks.public_series_scores import Judged, errors_of, judged, print_losses, print_scores, print_wins
from saih.analyzer.foreseeing import foresee
from saih.analyzer.peers import peers
from saih.analyzer.stack import TUNING, Tuning
from saih.domain.errors import SaihError

Array = NDArray[np.float64]

TUNINGS = tuple(
    replace(TUNING, prior_error=error, favour=(library, single, 1.0, 1.0))
    for error, library, single in itertools.product((0.05, 0.1, 0.2), (1.0, 1.5, 2.0), (1.0, 1.5, 2.0))
)
"""What may be chosen; the product uses ``TUNING``, which is among them."""
OURS, EXTRAP, POWER, SLOPE = "SAIH", "Extra-P", "power law", "last slope"
_FEWEST = 10
"""A subset with fewer predictions does not help to choose constants."""
_BETTER = ("all", "x4-x8", "strong", "size", "AI training")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Our figure over the peer's, in one subset."""

    subset: str
    figure: str
    peer: str
    is_strict: bool
    """Better, not only at least equal."""


BARS = (
    *(
        Bar(subset=subset, figure=figure, peer=EXTRAP, is_strict=True)
        for subset in _BETTER
        for figure in ("median", "mean", "series_median")
    ),
    *(
        Bar(subset=subset, figure=figure, peer=EXTRAP, is_strict=False)
        for subset in ("all", "size")
        for figure in ("p90", "series_p90")
    ),
    *(
        Bar(subset="weak", figure=figure, peer=peer, is_strict=False)
        for peer in (EXTRAP, SLOPE)
        for figure in ("median", "mean", "series_median")
    ),
)


def main(arguments: list[str]) -> int:
    """Print the tables and the bars; 1 if a bar fails, 2 where something is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=Path, help="the public series, as CSV")
    parser.add_argument("--quick", action="store_true", help="no choice of weights: those of the product")
    given = parser.parse_args(arguments)
    try:
        tasks = make_tasks(read_series(find_file(given.series)))
        extrap = [np.log(answer).tolist() for answer in extrap_forecasts(tasks)]
    except SaihError as error:
        print(error, file=sys.stderr)
        return 2
    found = judged(tasks)
    print(f"{len(set(found.series.tolist()))} series, {len(found.series)} predictions")
    forecasts = {
        OURS: _ours(tasks, found, (TUNING,) if given.quick else TUNINGS),
        EXTRAP: extrap,
        POWER: _peer_forecasts(tasks, POWER),
        SLOPE: _peer_forecasts(tasks, SLOPE),
    }
    errors = {name: errors_of(one, found.log_truth) for name, one in forecasts.items()}
    refused = sum(not np.isfinite(value) for one in extrap for value in one)
    print(f"Extra-P foresees nothing positive {refused} times (these count as a factor of 7.4)")
    print_scores(found, errors)
    print_wins(found, errors[OURS], errors[EXTRAP])
    print_losses(found, errors)
    passed = [_judge(bar, found, errors) for bar in BARS]
    passed += left_out_coverage(tasks, found, 300 if given.quick else 1500)
    return 0 if all(passed) else 1


def _ours(tasks: Sequence[Task], found: Judged, tunings: Sequence[Tuning]) -> list[list[float]]:
    """For each source what the stack says with the constants that served the other sources best."""
    said = [[foresee(law_of(task, tuning), task.targets)[0].tolist() for task in tasks] for tuning in tunings]
    if len(tunings) == 1:
        return said[0]
    errors = [errors_of(one, found.log_truth) for one in said]
    chosen: dict[str, int] = {}
    print("\nconstants chosen without the source that they are judged on: prior error, weights of the voices")
    for source in sorted(set(found.source.tolist())):
        losses = [_loss(found, one, found.source != source) for one in errors]
        chosen[source] = int(np.argmin(losses))
        tuning = tunings[chosen[source]]
        print(f"{source:12} {tuning.prior_error:g}, {tuning.favour}")
    return [said[chosen[task.series.source]][place] for place, task in enumerate(tasks)]


def _loss(found: Judged, errors: Array, others: NDArray[np.bool_]) -> float:
    """Sum over the kinds of scaling of median, mean of series and a third of the 90th percentile."""
    masks = [others & (found.kind == kind) for kind in ("strong", "weak", "size")]
    scores = [found.score(errors, mask) for mask in masks if mask.sum() >= _FEWEST]
    return sum(score.median + score.mean + score.p90 / 3 for score in scores)


def _peer_forecasts(tasks: Sequence[Task], name: str) -> list[list[float]]:
    forecasts = []
    for task in tasks:
        peer = next(one for one in peers(*task.trained()) if one.name == name)
        forecasts.append(np.log(peer.at(task.targets)).tolist())
    return forecasts


def _judge(bar: Bar, found: Judged, errors: Mapping[str, Array]) -> bool:
    mask = found.subsets()[bar.subset]
    ours, theirs = (getattr(found.score(errors[name], mask), bar.figure) for name in (OURS, bar.peer))
    name = f"{bar.subset}-{bar.figure}-to-{bar.peer}".replace(" ", "-").replace("_", "-").lower()
    return judge(name, ours / theirs, "of the peer's error", "<" if bar.is_strict else "<=", 1.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
