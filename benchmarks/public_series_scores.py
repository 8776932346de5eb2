"""Errors of forecasts over the public series, by subset, with the bars that they are held against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.public_series_corpus import TRAINING, Task

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST_ERROR = 2.0
"""Errors count no more than this (a factor of 7.4), as do forecasts that are not positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """|log(foreseen / measured)| over a subset."""

    median: float
    mean: float
    """Of the means of each series, as are all below."""
    p90: float
    series_median: float
    """Each series has the same weight, as have all predictions inside it."""
    series_p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All predictions, flat."""

    series: NDArray[np.str_]
    source: NDArray[np.str_]
    kind: NDArray[np.str_]
    factor: Array
    log_truth: Array

    def subsets(self) -> dict[str, Mask]:
        """What is scored by itself."""
        every = np.ones(len(self.series), dtype=bool)
        edges = {"x1-x2": (0.0, 2.0), "x2-x4": (2.0, 4.0), "x4-x8": (4.0, 8.0)}
        return {
            "all": every,
            **{
                name: (self.factor > low + 1e-9) & (self.factor <= high + 1e-9)
                for name, (low, high) in edges.items()
            },
            **{kind: self.kind == kind for kind in ("strong", "weak", "size")},
            "AI training": np.isin(self.source, TRAINING),
            **{f"of {source}": self.source == source for source in sorted(set(self.source.tolist()))},
        }

    def weights(self, mask: Mask) -> Array:
        """Of the predictions of a subset; each series weighs the same."""
        _, places, counts = np.unique(self.series[mask], return_inverse=True, return_counts=True)
        return np.asarray(1 / counts[places] / len(counts), dtype=np.float64)

    def score(self, errors: Array, mask: Mask) -> Score:
        """Figures of a subset that is not empty."""
        own, weights = errors[mask], self.weights(mask)
        return Score(
            median=float(np.median(own)),
            mean=float(own @ weights),
            p90=float(np.quantile(own, 0.9)),
            series_median=_quantile(own, weights, 0.5),
            series_p90=_quantile(own, weights, 0.9),
        )


def judged(tasks: Sequence[Task]) -> Judged:
    """The predictions of these tasks, in their order."""
    counts = [len(task.places) for task in tasks]
    return Judged(
        series=np.repeat([task.series.name for task in tasks], counts),
        source=np.repeat([task.series.source for task in tasks], counts),
        kind=np.repeat([task.series.kind for task in tasks], counts),
        factor=np.concatenate([task.targets / task.series.sizes[task.num_trained - 1] for task in tasks]),
        log_truth=np.log(np.concatenate([task.truths for task in tasks])),
    )


def errors_of(forecasts: Sequence[Sequence[float]], truths: Array) -> Array:
    """Absolute log errors of forecasts (log values), NaN counts as the largest."""
    flat = np.array([value for one in forecasts for value in one], dtype=np.float64)
    errors = np.abs(flat - truths)
    return np.where(np.isfinite(errors), np.minimum(errors, LARGEST_ERROR), LARGEST_ERROR)


def print_scores(found: Judged, errors: Mapping[str, Array]) -> None:
    """Two tables: predictions count equally (but for the mean), and series count equally."""
    for title, names in (
        (
            "median / mean of series / 90th percentile of |log(foreseen/measured)| in %",
            ("median", "mean", "p90"),
        ),
        ("the same with each series weighing the same", ("series_median", "mean", "series_p90")),
    ):
        print(f"\n{title}\n{'':14}{'n':>5}{'series':>7}" + "".join(f"{name:>22}" for name in errors))
        for subset, mask in found.subsets().items():
            cells = "".join(
                " ".join(f"{100 * getattr(found.score(own, mask), name):6.1f}" for name in names).rjust(22)
                for own in errors.values()
            )
            print(f"{subset:14}{mask.sum():5d}{len(set(found.series[mask].tolist())):7d}{cells}")


def print_wins(found: Judged, ours: Array, theirs: Array) -> None:
    """In how many series each is better on average, by source: losses are to be seen."""
    print("\nseries foreseen better than by Extra-P, on average over each series")
    for subset, mask in found.subsets().items():
        names = sorted(set(found.series[mask].tolist()))
        wins = sum(
            float(ours[mask & (found.series == name)].mean() < theirs[mask & (found.series == name)].mean())
            for name in names
        )
        print(f"{subset:14}{wins:5.0f} of {len(names)}")


def print_losses(found: Judged, errors: Mapping[str, Array]) -> None:
    """Every figure in which the first method is beaten by another one."""
    ours, *others = errors
    print(f"\nwhere {ours} loses (error in %, figure, subset)")
    for name in others:
        lost = [
            f"{subset} {figure.replace('_', ' ')} {100 * own:.1f} : {100 * theirs:.1f}"
            for subset, mask in found.subsets().items()
            for figure in ("median", "mean", "p90", "series_median", "series_p90")
            if (own := getattr(found.score(errors[ours], mask), figure))
            > (theirs := getattr(found.score(errors[name], mask), figure))
        ]
        print(f"to {name}: {'; '.join(lost) or 'nowhere'}")


def _quantile(values: Array, weights: Array, part: float) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][min(int(np.searchsorted(reached, part * reached[-1])), len(values) - 1)])
