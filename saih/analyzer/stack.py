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

from saih.analyzer.chaining import FEWEST, Chain, chain, left_out_errors, prefix_logs, single_terms
from saih.analyzer.terms import Library, Member, candidates, complexity, fit_member

Array = NDArray[np.float64]

NAMES = ("library", "single term", "mechanism", "last slope")
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

    def part(self, sizes: Array) -> Array:
        """How much the stack counts: 0 up to ``begins``, 1 from ``ends`` on."""
        return np.clip(np.log(sizes / self.begins) / np.log(self.ends / self.begins), 0.0, 1.0)

    def steps_beyond(self, sizes: Array) -> Array:
        """Typical distances between each size and the largest measured one; 0 inside the range."""
        return np.maximum(np.log2(sizes / self.ends), 0.0) / self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """One series: distinct sizes that grow, a positive value at each."""

    sizes: Array
    values: Array
    noise: float
    """Standard deviation of log(value) that a new measurement has by itself."""
    library: Library

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The candidates that so many sizes can choose from."""
        return candidates(len(self.sizes), self.library)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Everything that forward chaining over at least three points gives, ``B`` prefixes, ``C`` candidates."""

    chained: Chain
    logs: Array
    """Of every candidate at the places of the chain, ``[C, B, 6]``."""
    truths: Array
    """Logs of the measured values there, ``[B, 6]``."""
    weights: Array
    """Of every candidate for each prefix, ``[C, B]``."""
    single: NDArray[np.int64]
    """For each prefix the candidate of one term that errs least at points left out, ``[B]``."""


def chained_fits(points: Points) -> Fits:
    """Fit all candidates to all prefixes and judge them there."""
    count = len(points.sizes)
    chained = chain(count)
    logs = prefix_logs(points.groups, points.sizes, points.values, chained.begins, chained.places)
    truths = np.log(points.values)[chained.places]
    squares = (logs - truths) ** 2
    scores = _scores(points, chained.base(squares) + chained.ahead(squares), FEWEST + chained.num_ahead)
    if chained.begins[0] == FEWEST < count:
        few = candidates(FEWEST, points.library)
        scores[[index for index, group in enumerate(points.groups) if group not in few], 0] = np.inf
    singles, places = single_terms(count, points.library)
    missed = left_out_errors(singles, points.sizes, points.values, chained.begins)
    return Fits(
        chained=chained,
        logs=logs,
        truths=truths,
        weights=_shares(scores),
        single=places[np.argmin(missed, axis=0)],
    )


def residual_weights(points: Points, residuals: Array) -> Array:
    """Weights of the candidates by their residuals alone, for two points, ``[C]``."""
    squares = (residuals**2).sum(axis=1, keepdims=True)
    return _shares(_scores(points, squares, np.array([float(len(points.sizes))])))[:, 0]


def _scores(points: Points, squares: Array, count: Array) -> Array:
    """No mean error counts below the noise, so that laws which do equally well share the weight."""
    mean = np.maximum(squares / count, points.noise**2)
    return np.asarray(count * np.log(mean) + 2 * complexity(points.groups)[:, None])


def _shares(scores: Array) -> Array:
    weights = np.exp(-(scores - scores.min(axis=0)) / 2)
    return np.asarray(weights / weights.sum(axis=0))


def make_stack(points: Points, fits: Fits, library: "Mean", tuning: Tuning = TUNING) -> Stack:
    """The voices over a series of at least three sizes; ``library`` is the mean of its candidates."""
    logs = _anchored_logs(points, fits)
    truths, num_ahead = fits.truths, fits.chained.num_ahead
    squares = fits.chained.ahead(_squares(logs - truths))
    weights = _voice_weights(squares, num_ahead, tuning)
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
    raw = np.stack(
        [
            np.einsum("cb,cbp->bp", fits.weights, fits.logs),
            fits.logs[fits.single, np.arange(len(last))],
            fits.logs[points.groups.index(points.library.mechanism)],
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


def _voice_weights(squares: Array, num_ahead: Array, tuning: Tuning) -> Array:
    raw = np.array(tuning.favour)[:, None] / _pooled(squares, num_ahead, tuning)
    return np.asarray(raw / raw.sum(axis=0))


def weighted_median(values: Array, weights: Array) -> Array:
    """Along the first axis, interpolated between the middles of the weights.

    Args:
        values: ``[V, ...]``.
        weights: of the same shape; their sums over the first axis are 1.
    """
    order = np.argsort(values, axis=0, kind="stable")
    ordered, share = (np.take_along_axis(part, order, axis=0) for part in (values, weights))
    middle = np.cumsum(share, axis=0) - share / 2
    above = np.clip(np.sum(middle < 0.5, axis=0), 1, len(values) - 1)[None]
    low, high = (np.take_along_axis(ordered, above - step, axis=0)[0] for step in (1, 0))
    begin, end = (np.take_along_axis(middle, above - step, axis=0)[0] for step in (1, 0))
    part = np.clip((0.5 - begin) / (end - begin), 0.0, 1.0)
    return np.asarray(low + part * (high - low))


def _curves(points: Points, fits: Fits, library: "Mean") -> tuple[Curve, ...]:
    """The voices of the whole series, in the order of ``NAMES``."""
    sizes, values = points.sizes, points.values
    alone = [
        Mean(members=(fit_member(terms, sizes, values, float(sizes[0])),), weights=np.ones(1))
        for terms in (points.groups[int(fits.single[-1])], points.library.mechanism)
    ]
    straight = Straight(log_sizes=np.log(sizes), log_values=np.log(values))
    return (*(_moved(points, curve) for curve in (library, *alone)), straight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """Weighted mean of fitted sums in log, moved by ``shift``."""

    members: tuple[Member, ...]
    weights: Array
    shift: float = 0.0

    def __call__(self, sizes: Array) -> Array:
        """Log of the value at each size."""
        logs = np.log(np.stack([member.at(sizes) for member in self.members]))
        return np.asarray(self.weights @ logs + self.shift)


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
