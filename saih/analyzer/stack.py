"""Four ways to foresee larger sizes, weighted by how well they foresaw the points of the same series.

The library averages many laws; a single term beside a constant is what survives leaving points out; the
mechanism is what theory expects; the last slope only knows the two largest points. Each is moved to the last
point by the part of its residual there that is not noise. The stack is their weighted median in log, which
one wild voice cannot move.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.chaining import table
from saih.analyzer.members import Members, fit_members, joined, summed
from saih.analyzer.selection import Fits, Points

Array = NDArray[np.float64]

NAMES = ("library", "single term", "mechanism", "last slope")
LEAST_WEIGHT = 1e-3
"""Candidates that weigh less are not heard."""
_DIGITS = 10
"""Of a log that are not rounding."""
_ALONE = np.ones(1)
"""Weight of a law that is a voice by itself."""
LARGEST_ERROR = 2.0
"""Log errors of forward chaining count no more than this (a factor of 7.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Constants of the stack; ``python -m benchmarks.public_series`` refits them without each source."""

    prior_error: float = 0.1
    """Log error that every voice is taken to make before it has been heard."""
    prior_count: float = 1.0
    """How many chained errors that counts for."""
    favour: tuple[float, float, float, float] = (1.5, 2.0, 1.0, 1.0)
    """Weights of the voices when their errors are equal, in the order of ``NAMES``."""


TUNING = Tuning()


class Curve(Protocol):
    """Something that gives logs of values at sizes."""

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One way to foresee."""

    name: str
    weight: float
    chained_error: float
    """Root mean square log error of its forward chaining; NaN where nothing could be chained."""
    log_value: Curve
    """Anchored to the last point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The voices of one series."""

    voices: tuple[Voice, ...]
    """In the order of ``NAMES``."""
    curves: tuple["Mean", "Mean", "Mean", "Straight"]
    """What they say."""
    begins: float
    """The second largest measured size, from which on the stack is heard."""
    ends: float
    """The largest measured size, from which on nothing else is heard."""
    step: float
    """Typical distance of the measured sizes, in doublings."""
    chained_error: float
    """Root mean square log error of the weighted median itself in forward chaining, with the prior."""
    num_chained: int

    @property
    def weights(self) -> Array:
        """Of the voices; their sum is 1."""
        return np.array([voice.weight for voice in self.voices])


def make_stacks(points: Points, fits: Fits, means: Sequence["Mean"], tuning: Tuning = TUNING) -> list[Stack]:
    """The voices over each series of at least three sizes; ``means`` are those of its candidates."""
    logs = _anchored_logs(points, fits)
    truths, num_ahead = fits.truths, fits.chained.num_ahead
    squares = fits.chained.ahead(_squares(logs - truths))
    weights = _voice_weights(squares, num_ahead, tuning, points.library.trust)
    mixed = weighted_median(logs, np.broadcast_to(weights[..., None], logs.shape))
    own = fits.chained.ahead(_squares(mixed - truths))[:, -1]
    count = int(num_ahead[-1])
    errors = np.sqrt(squares[..., -1] / count) if count else np.full(squares.shape[:2], np.nan)
    smallest, begins, ends = (float(points.sizes[place]) for place in (0, -2, -1))
    return [
        Stack(
            voices=tuple(
                Voice(name=name, weight=weight, chained_error=error, log_value=curve)
                for name, weight, error, curve in zip(NAMES, *told, curves, strict=True)
            ),
            curves=curves,
            begins=begins,
            ends=ends,
            step=float(np.log2(ends / smallest)) / (len(points.sizes) - 1),
            chained_error=chained_error,
            num_chained=count,
        )
        for chained_error, *told, curves in zip(
            np.sqrt(_pooled(own, count, tuning)).tolist(),
            weights[..., -1].T.tolist(),
            errors.T.tolist(),
            _curves(points, fits, means),
            strict=True,
        )
    ]


def _anchored_logs(points: Points, fits: Fits) -> Array:
    """What each voice says at the places of the chain, moved to its last points, ``[4, R, B, 6]``."""
    chained = fits.chained
    x, y = np.log(points.sizes), np.log(points.values)
    last = chained.begins - 1
    slope = (y[:, last] - y[:, last - 1]) / (x[last] - x[last - 1])
    theory = table(points.library.mechanism, points.sizes, float(points.sizes[0]))[:, chained.places]
    rows = np.arange(len(y))[:, None]
    raw = np.stack(
        [
            np.einsum("rcb,rcbp->rbp", fits.weights, fits.logs),
            fits.logs[rows, fits.single, np.arange(len(last))],
            np.log(np.einsum("rtb,tbp->rbp", fits.mechanism, theory)),
            y[:, last, None] + slope[..., None] * (x[chained.places] - x[last][:, None]),
        ]
    )
    anchor = _anchor(chained.last(fits.truths - raw), points.noise[:, None])
    return np.asarray(raw + anchor[..., None])


def _anchor(residual: Array, noise: Array) -> Array:
    """The part of a residual at the last point that carries on: all of one that is far above the noise."""
    return np.asarray(residual**3 / (residual**2 + noise**2))


def _squares(errors: Array) -> Array:
    return np.asarray(np.minimum(errors**2, LARGEST_ERROR**2))


def _pooled(squares: Array, count: Array | int, tuning: Tuning) -> Array:
    return np.asarray((squares + tuning.prior_count * tuning.prior_error**2) / (count + tuning.prior_count))


def _voice_weights(squares: Array, num_ahead: Array, tuning: Tuning, trust: float) -> Array:
    favour = np.array(tuning.favour) * np.array([1.0, 1.0, trust, 1.0])
    raw = favour[:, None, None] / _pooled(squares, num_ahead, tuning)
    return np.asarray(raw / raw.sum(axis=0))


def weighted_median(values: Array, weights: Array) -> Array:
    """Along the first axis, interpolated between the middles of the weights.

    Args:
        values: ``[V, ...]``.
        weights: of the same shape; their sums over the first axis are 1.
    """
    shape = values.shape[1:]
    flat = values.reshape(len(values), -1)
    # Values that only rounding tells apart are one: their order must not move the middles of their weights.
    order = np.argsort(np.round(flat, _DIGITS), axis=0, kind="stable")
    columns = np.arange(flat.shape[1])
    ordered, share = flat[order, columns], weights.reshape(flat.shape)[order, columns]
    middle = np.cumsum(share, axis=0) - share / 2
    above = np.clip(np.sum(middle < 0.5, axis=0), 1, len(flat) - 1)
    low, high = ordered[above - 1, columns], ordered[above, columns]
    begin, end = middle[above - 1, columns], middle[above, columns]
    part = np.clip((0.5 - begin) / (end - begin), 0.0, 1.0)
    return np.asarray(low + part * (high - low)).reshape(shape)


def _curves(
    points: Points, fits: Fits, means: Sequence["Mean"]
) -> Iterator[tuple["Mean", "Mean", "Mean", "Straight"]]:
    """The voices of each whole series, in the order of ``NAMES``."""
    sizes, values = points.sizes, points.values
    scale = float(sizes[0])
    single = fit_members(points.groups, fits.single[:, -1], sizes, values, scale)
    theory = summed(points.library.mechanism, fits.mechanism[..., -1], scale)
    end = sizes[-1:]
    ends = np.stack([_means_at(means, end), *(np.log(one.at(end))[:, 0] for one in (single, theory))])
    shifts = _anchor(np.log(values[:, -1]) - ends, points.noise).T.tolist()
    log_sizes, log_values = np.log(sizes), np.log(values)
    for row, (mean, (shift, *alone)) in enumerate(zip(means, shifts, strict=True)):
        own = slice(row, row + 1)
        one_term, mechanism = (
            Mean(members=members[own], weights=_ALONE, shift=its_shift)
            for members, its_shift in zip((single, theory), alone, strict=True)
        )
        straight = Straight(log_sizes=log_sizes, log_values=log_values[row])
        yield replace(mean, shift=shift), one_term, mechanism, straight


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Weighted mean of fitted sums in log, the weightiest first, moved by ``shift``."""

    members: Members
    weights: Array
    shift: float = 0.0

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""
        return np.asarray(self.weights @ np.log(self.members.at(sizes)) + self.shift)


def _means_at(means: Sequence[Mean], end: Array) -> Array:
    """What each mean says at one size, ``[R]``."""
    logs = np.log(joined([mean.members for mean in means]).at(end))[:, 0]
    counts = np.array([len(mean.members) for mean in means])
    shares = np.concatenate([mean.weights for mean in means])
    return np.asarray(np.add.reduceat(shares * logs, np.cumsum(counts) - counts))


def heard(points: Points, weights: Array) -> list[Mean]:
    """For each series the mean of the candidates that weigh enough, ``weights`` are ``[R, C]``."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ordered = np.take_along_axis(weights, order, axis=1)
    rows, places = np.nonzero(ordered >= LEAST_WEIGHT)
    members = fit_members(
        points.groups, order[rows, places], points.sizes, points.values[rows], float(points.sizes[0])
    )
    shares, ends = ordered[rows, places], np.cumsum(np.bincount(rows, minlength=len(weights))).tolist()
    return [
        Mean(members=members[begin:end], weights=shares[begin:end] / shares[begin:end].sum())
        for begin, end in pairwise([0, *ends])
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """A straight line in log-log through the last two points; before them straight from point to point."""

    log_sizes: Array
    log_values: Array

    @property
    def slope(self) -> float:
        """Through the last two points."""
        x, y = self.log_sizes, self.log_values
        return float((y[-1] - y[-2]) / (x[-1] - x[-2]))

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""
        x, y, at = self.log_sizes, self.log_values, np.log(sizes)
        return np.asarray(np.interp(at, x, y) + self.slope * np.maximum(at - x[-1], 0.0))
