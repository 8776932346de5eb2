"""Which of the candidate laws a series supports: weights by forward chaining, at every prefix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.chaining import (
    FEWEST,
    Chain,
    chain,
    left_out_errors,
    non_negative,
    prefix_logs,
    single_terms,
)
from saih.analyzer.terms import Library, candidates, complexity

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """``R`` series over the same distinct sizes, which grow: a positive value at each."""

    sizes: Array
    values: Array
    """``[R, N]``."""
    noise: Array
    """Standard deviation of log(value) that a new measurement has by itself, ``[R]``."""
    library: Library

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The candidates that so many sizes can choose from."""
        return candidates(len(self.sizes), self.library)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """What forward chaining of three or more points says: R series, B prefixes, C candidates."""

    chained: Chain
    logs: Array
    """Of every candidate at the places of the chain, ``[R, C, B, 6]``."""
    truths: Array
    """Logs of the measured values there, ``[R, B, 6]``."""
    weights: Array
    """Of every candidate for each prefix, ``[R, C, B]``."""
    single: NDArray[np.int64]
    """For each prefix the candidate of one term that errs least at points left out, ``[R, B]``."""
    mechanism: Array
    """Of the library: its coefficients for each prefix, ``[R, 2 or 3, B]``."""


def chained_fits(points: Points) -> Fits:
    """Fit all candidates to all prefixes and judge them there."""
    count = len(points.sizes)
    chained = chain(count)
    logs = prefix_logs(points.groups, points.sizes, points.values, chained.begins, chained.places)
    truths = np.log(points.values)[:, chained.places]
    squares = (logs - truths[:, None]) ** 2
    scores = _scores(points, chained.base(squares) + chained.ahead(squares), FEWEST + chained.num_ahead)
    if chained.begins[0] == FEWEST < count:
        few = candidates(FEWEST, points.library)
        scores[:, [index for index, group in enumerate(points.groups) if group not in few], 0] = np.inf
    singles, places = single_terms(count, points.library)
    missed = left_out_errors(singles, points.sizes, points.values, chained.begins)
    return Fits(
        chained=chained,
        logs=logs,
        truths=truths,
        weights=_shares(scores),
        single=places[np.argmin(missed, axis=1)],
        mechanism=non_negative(points.library.mechanism, points.sizes, points.values, chained.begins),
    )


def residual_weights(points: Points) -> Array:
    """Weights of the candidates by their residuals alone, for two points, ``[R, C]``."""
    count = len(points.sizes)
    whole, every = np.array([count]), np.arange(count)[None]
    logs = prefix_logs(points.groups, points.sizes, points.values, whole, every)
    squares = ((logs - np.log(points.values)[:, None, None]) ** 2).sum(axis=-1)
    return _shares(_scores(points, squares, np.array([float(count)])))[..., 0]


def _scores(points: Points, squares: Array, count: Array) -> Array:
    """No mean error counts below the noise, so that laws which do equally well share the weight."""
    mean = np.maximum(squares / count, points.noise[:, None, None] ** 2)
    return np.asarray(count * np.log(mean) + 2 * complexity(points.groups)[:, None])


def _shares(scores: Array) -> Array:
    weights = np.exp(-(scores - scores.min(axis=1, keepdims=True)) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
