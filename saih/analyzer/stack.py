"""Four ways to foresee larger sizes, weighted by how well they foresaw the points of the same series.

The library averages many laws; a single term beside a constant is what survives leaving points out; the
mechanism is what theory expects; the last slope only knows the two largest points. Each is moved to the last
point by the part of its residual there that is not noise. The stack is their weighted median in log, which
one wild voice cannot move.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.selection import Fits, Points
from saih.analyzer.terms import Member, evaluate, fit_member

Array = NDArray[np.float64]

NAMES = ("library", "single term", "mechanism", "last slope")
LEAST_WEIGHT = 1e-3
"""Candidates that weigh less are not heard."""
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
    begins: float
    """The second largest measured size, from which on the stack is heard."""
    ends: float
    """The largest measured size, from which on nothing else is heard."""
    step: float
    """Typical distance of the measured sizes, in doublings."""
    chained_error: float
    """Root mean square log error of the weighted median itself in forward chaining, with the prior."""
    num_chained: int

    def log_values(self, sizes: Array) -> Array:
        """What each voice says, ``[voice, size]``."""
        return np.stack([voice.log_value(sizes) for voice in self.voices])

    @property
    def weights(self) -> Array:
        """Of the voices; their sum is 1."""
        return np.array([voice.weight for voice in self.voices])

    @property
    def credits(self) -> Array:
        """How much each voice's opinion makes the median doubtful: a voice that foresaw badly, little."""
        squares = self.weights**2
        return np.asarray(squares / squares.sum())

    def part(self, sizes: Array) -> Array:
        """How much the stack counts: 0 up to ``begins``, 1 from ``ends`` on."""
        return np.clip(np.log(sizes / self.begins) / np.log(self.ends / self.begins), 0.0, 1.0)

    def steps_beyond(self, sizes: Array) -> Array:
        """Typical distances between each size and the largest measured one; 0 inside the range."""
        return np.maximum(np.log2(sizes / self.ends), 0.0) / self.step


def make_stack(points: Points, fits: Fits, library: "Mean", tuning: Tuning = TUNING) -> Stack:
    """The voices over a series of at least three sizes; ``library`` is the mean of its candidates."""
    logs = _anchored_logs(points, fits)
    truths, num_ahead = fits.truths, fits.chained.num_ahead
    squares = fits.chained.ahead(_squares(logs - truths))
    weights = _voice_weights(squares, num_ahead, tuning, points.library.trust)
    mixed = weighted_median(logs, np.broadcast_to(weights[:, :, None], logs.shape))
    own = float(fits.chained.ahead(_squares(mixed - truths))[-1])
    count = int(num_ahead[-1])
    voices = tuple(
        Voice(
            name=name,
            weight=float(weight),
            chained_error=float(np.sqrt(square / count)) if count else float("nan"),
            log_value=curve,
        )
        for name, weight, square, curve in zip(
            NAMES, weights[:, -1], squares[:, -1], _curves(points, fits, library), strict=True
        )
    )
    smallest, begins, ends = (float(points.sizes[place]) for place in (0, -2, -1))
    return Stack(
        voices=voices,
        begins=begins,
        ends=ends,
        step=float(np.log2(ends / smallest)) / (len(points.sizes) - 1),
        chained_error=float(_pooled(own, count, tuning)) ** 0.5,
        num_chained=count,
    )


def _anchored_logs(points: Points, fits: Fits) -> Array:
    """What each voice says at the places of the chain, moved to the last point of each prefix."""
    chained = fits.chained
    x, y = np.log(points.sizes), np.log(points.values)
    last = chained.begins - 1
    slope = (y[last] - y[last - 1]) / (x[last] - x[last - 1])
    smallest = float(points.sizes[0])
    theory = np.stack([evaluate(name, points.sizes, smallest) for name in points.library.mechanism])
    raw = np.stack(
        [
            np.einsum("cb,cbp->bp", fits.weights, fits.logs),
            fits.logs[fits.single, np.arange(len(last))],
            np.log(np.einsum("tb,tbp->bp", fits.mechanism, theory[:, chained.places])),
            y[last][:, None] + slope[:, None] * (x[chained.places] - x[last][:, None]),
        ]
    )
    return np.asarray(raw + _anchor(chained.last(fits.truths - raw), points.noise)[..., None])


def _anchor(residual: Array, noise: float) -> Array:
    """The part of a residual at the last point that carries on: all of one that is far above the noise."""
    return np.asarray(residual**3 / (residual**2 + noise**2))


def _squares(errors: Array) -> Array:
    return np.asarray(np.minimum(errors**2, LARGEST_ERROR**2))


def _pooled(squares: Array | float, count: Array | int, tuning: Tuning) -> Array | float:
    return (squares + tuning.prior_count * tuning.prior_error**2) / (count + tuning.prior_count)


def _voice_weights(squares: Array, num_ahead: Array, tuning: Tuning, trust: float) -> Array:
    favour = np.array(tuning.favour) * np.array([1.0, 1.0, trust, 1.0])
    raw = favour[:, None] / _pooled(squares, num_ahead, tuning)
    return np.asarray(raw / raw.sum(axis=0))


def weighted_median(values: Array, weights: Array) -> Array:
    """Along the first axis, interpolated between the middles of the weights.

    Args:
        values: ``[V, ...]``.
        weights: of the same shape; their sums over the first axis are 1.
    """
    shape = values.shape[1:]
    flat = values.reshape(len(values), -1)
    order, columns = np.argsort(flat, axis=0, kind="stable"), np.arange(flat.shape[1])
    ordered, share = flat[order, columns], weights.reshape(flat.shape)[order, columns]
    middle = np.cumsum(share, axis=0) - share / 2
    above = np.clip(np.sum(middle < 0.5, axis=0), 1, len(flat) - 1)
    low, high = ordered[above - 1, columns], ordered[above, columns]
    begin, end = middle[above - 1, columns], middle[above, columns]
    part = np.clip((0.5 - begin) / (end - begin), 0.0, 1.0)
    return np.asarray(low + part * (high - low)).reshape(shape)


def _curves(points: Points, fits: Fits, library: "Mean") -> tuple[Curve, ...]:
    """The voices of the whole series, in the order of ``NAMES``."""
    sizes, values = points.sizes, points.values
    scale = float(sizes[0])
    single = fit_member(points.groups[int(fits.single[-1])], sizes, values, scale)
    theory = Member(
        terms=points.library.mechanism,
        coefficients=tuple(fits.mechanism[:, -1].tolist()),
        exponent=None,
        scale=scale,
        covariance=np.zeros((0, 0)),  # nobody asks a voice for it
    )
    alone = [Mean(members=(member,), weights=np.ones(1)) for member in (single, theory)]
    straight = Straight(log_sizes=np.log(sizes), log_values=np.log(values))
    return (*(_moved(points, curve) for curve in (library, *alone)), straight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Weighted mean of fitted sums in log, the weightiest first, moved by ``shift``."""

    members: tuple[Member, ...]
    weights: Array
    shift: float = 0.0

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""
        logs = np.log([member.at(sizes) for member in self.members])
        return np.asarray(self.weights @ logs + self.shift)


def heard(points: Points, weights: Array) -> Mean:
    """The mean of the candidates that weigh enough."""
    kept = [index for index in np.argsort(-weights, kind="stable") if weights[index] >= LEAST_WEIGHT]
    scale = float(points.sizes[0])
    members = tuple(fit_member(points.groups[index], points.sizes, points.values, scale) for index in kept)
    return Mean(members=members, weights=weights[kept] / weights[kept].sum())


def _moved(points: Points, curve: Mean) -> Mean:
    residual = np.log(points.values[-1:]) - curve(points.sizes[-1:])
    return replace(curve, shift=float(_anchor(residual, points.noise)[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """A straight line in log-log through the last two points; before them straight from point to point."""

    log_sizes: Array
    log_values: Array

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""
        x, y, at = self.log_sizes, self.log_values, np.log(sizes)
        slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
        return np.asarray(np.interp(at, x, y) + slope * np.maximum(at - x[-1], 0.0))
