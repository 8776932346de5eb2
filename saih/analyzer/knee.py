"""Whether a series bends at some size: a hinge, claimed only where no smooth law does nearly as well."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.repeats import medians_by_size
from saih.domain.interval import Interval
from saih.domain.quantity import amount, interval_with_si

Array = NDArray[np.float64]

FEWEST_POINTS = 8
FEWEST_BESIDE = 3
"""Points that a claim needs on each side of the knee."""
LEAST_GAIN = 10.0
"""By how much a hinge must beat laws of two terms in n log(residual sum of squares).

Its place is searched for, so that the usual penalty of two parameters (4) is too small: with 10, and 6 for
laws of three terms, 2 % of 54 kinds of smooth series are called bent, and 86 % of hinges are found.
"""
LEAST_GAIN_OVER_THREE = 6.0
_HINGE_PARAMETERS = 4
"""Constant, slope, change of slope, place."""
_PLACES = 201
_POWERS = (1.0, 0.5, 2 / 3, 0.8, 1.25, 1.5, 2.0, 3.0)
_FALLING = (-1.0, -0.5)
_LEAST_SPREAD = 0.005
"""No series is known better than this, relative to its values: rounding is not a knee."""
_LEAST_PART = 0.1
"""Values below this part of the largest count as if they were as large, where residuals are relative."""
_LEVEL = 0.9
_DEPENDENT = 1e-24
"""A column of which the others leave a smaller part (squared) is one of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Knee:
    """A bend: the size at which it lies, and the slopes (value per unit of size) beside it."""

    size: Interval
    slope_below: float
    slope_above: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KneeFinding:
    """A knee, or none; ``is_known`` is False where the points cannot tell. The sentence says why."""

    knee: Knee | None
    is_known: bool
    reason: str
    next_size: float | None = None
    """The size to measure next where the points cannot tell."""


def find_knee(sizes: Sequence[float], values: Sequence[float], noise: float) -> KneeFinding:
    """A change of slope in a series of any finite values, or none.

    A hinge competes with smooth laws by residual sums of squares: against a straight line by the corrected
    Akaike criterion (Hurvich & Tsai, Biometrika 76, 1989, 297) with two parameters more for the hinge, and
    by ``LEAST_GAIN`` against every sum of a constant and a power or logarithm, and against three terms.
    A claim needs ``FEWEST_POINTS`` distinct sizes, ``FEWEST_BESIDE`` of them on each side. ``noise`` is the
    standard deviation of log(value), 0 where unknown. Residuals count relative to values where smooth laws
    are likelier so, since the noise of durations grows with them.
    """
    x, y = medians_by_size(sizes, values)
    if len(x) < FEWEST_POINTS:
        return _too_few(x)
    places = np.linspace(x[FEWEST_BESIDE - 1], x[-FEWEST_BESIDE], _PLACES)
    found = _best_weighted(x, y, noise)
    line, two, three = found.smooth
    weights, least = found.weights, found.least
    bent = np.maximum(_squares(_straight(x), _hinges(x, places), y, weights), least)
    best = int(np.argmin(bent))
    gains = len(x) * np.log(np.array([line, two, three]) / bent[best])
    needed = max(_penalty(len(x), _HINGE_PARAMETERS) - _penalty(len(x), 2), LEAST_GAIN)
    if np.any(gains <= (needed, LEAST_GAIN, LEAST_GAIN_OVER_THREE)):
        text = f"No knee: a smooth law describes the {len(x)} sizes about as well as any bend."
        return KneeFinding(knee=None, is_known=True, reason=text)
    size = _place(places, bent, best, len(x))
    design = np.column_stack([_straight(x), _hinges(x, places[best : best + 1])[0]])
    factors = np.linalg.lstsq(design * weights[:, None], y * weights, rcond=None)[0] / x[-1]
    return KneeFinding(knee=_knee(size, factors), is_known=True, reason=_claim(size, factors))


def _place(places: Array, squares: Array, best: int, count: int) -> Interval:
    """All places whose sum of squares an F test does not tell from the least, and their neighbours."""
    freedom = count - _HINGE_PARAMETERS
    quantile = float(special.stdtrit(freedom, (1 + _LEVEL) / 2)) ** 2
    possible = np.flatnonzero(squares <= squares[best] * (1 + quantile / freedom))
    low, high = max(int(possible[0]) - 1, 0), min(int(possible[-1]) + 1, len(places) - 1)
    return Interval(
        low=float(places[low]),
        value=float(places[best]),
        high=float(places[high]),
        level=_LEVEL,
        count=count,
    )


def _knee(size: Interval, factors: Array) -> Knee:
    return Knee(size=size, slope_below=float(factors[1]), slope_above=float(factors[1] + factors[2]))


def _claim(size: Interval, factors: Array) -> str:
    below, above = float(factors[1]), float(factors[1] + factors[2])
    ratio = f", {above / below:.3g} times as steep above" if below > 0 and above > 0 else ""
    return f"The series bends at size {interval_with_si(size, '')} (90 %){ratio}."


def _too_few(x: Array) -> KneeFinding:
    if len(x) < 2:
        text = "A knee needs sizes on both sides of it."
        return KneeFinding(knee=None, is_known=False, reason=text)
    gaps = np.diff(x) if x[0] <= 0 else np.diff(np.log(x))
    widest = int(np.argmax(gaps))
    between = (x[widest] + x[widest + 1]) / 2 if x[0] <= 0 else np.sqrt(x[widest] * x[widest + 1])
    text = (
        f"{len(x)} sizes cannot tell a knee from a smooth law; {FEWEST_POINTS} are needed. "
        f"Measure size {amount(float(between))} next."
    )
    return KneeFinding(knee=None, is_known=False, reason=text, next_size=float(between))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighted:
    """How residuals count, and what smooth laws leave then."""

    weights: Array
    least: float
    """The least believable sum of squares."""
    smooth: tuple[float, float, float]
    """Least sums of squares of the straight line, of two terms, and of three."""


def _best_weighted(x: Array, y: Array, noise: float) -> _Weighted:
    """The weights of residuals under which smooth laws are likeliest."""
    height = float(np.abs(y).max()) or 1.0
    found = []
    for weights in (np.ones_like(y) / height, 1 / np.maximum(np.abs(y), _LEAST_PART * height)):
        spread = max(_LEAST_SPREAD, noise / 2) * float(np.median(np.abs(y) * weights))
        least = len(x) * max(spread, 1e-12) ** 2
        line, two, three = _smooth_squares(x, y, weights, least)
        criterion = min(
            len(x) * np.log(two) + _penalty(len(x), 2), len(x) * np.log(three) + _penalty(len(x), 3)
        )
        own = _Weighted(weights=weights, least=least, smooth=(line, two, three))
        found.append((float(criterion - 2 * np.log(weights).sum()), own))
    return min(found, key=lambda one: one[0])[1]


def _penalty(count: int, parameters: int) -> float:
    """Of the corrected Akaike criterion; the variance is not counted, it is fitted in every law."""
    return 2 * parameters + 2 * parameters * (parameters + 1) / (count - parameters - 1)


def _smooth_squares(x: Array, y: Array, weights: Array, least: float) -> tuple[float, float, float]:
    """Least sums of squares of the straight line, of two terms, and of three; none below ``least``."""
    u, logarithm = x / x[-1], np.log1p(np.maximum(x, 0.0))
    logarithm = logarithm / logarithm[-1]
    columns = [u**power for power in _POWERS] + [logarithm, u * logarithm]
    more = [u**2, logarithm, u**1.5, u**3]
    if x[0] > 0:
        columns += [u**power for power in _FALLING]
        more.append(1 / u)
    line = _straight(x)
    two = np.maximum(_squares(line[:, :1], np.array(columns), y, weights), least)
    three = np.maximum(_squares(line, np.array(more), y, weights), least)
    return float(two[0]), float(two.min()), float(three.min())


def _straight(x: Array) -> Array:
    """The design ``[point, term]`` of a constant and x."""
    return np.stack([np.ones_like(x), x / x[-1]], axis=1)


def _hinges(x: Array, places: Array) -> Array:
    """What of x exceeds each place, ``[place, point]``."""
    return np.asarray(np.maximum(x / x[-1] - places[:, None] / x[-1], 0.0))


def _squares(common: Array, columns: Array, y: Array, weights: Array) -> Array:
    """Weighted residual sum of squares of each least-squares fit of ``y``.

    Args:
        common: terms of every fit, ``[point, term]``.
        columns: one more term of each, ``[law, point]``.
        y: what is fitted, ``[point]``.
        weights: of the residuals.
    """
    basis = np.linalg.qr(common * weights[:, None])[0]
    left, own = y * weights, columns * weights
    lengths = (own**2).sum(axis=1)
    left = left - basis @ (basis.T @ left)
    for _ in range(
        2
    ):  # the second time takes away what rounding left (Giraud et al., Numer. Math. 101, 2005)
        own = own - (own @ basis) @ basis.T
    rests = (own**2).sum(axis=1)
    is_new = rests > _DEPENDENT * lengths
    gains = np.divide((own @ left) ** 2, rests, out=np.zeros_like(rests), where=is_new)
    return np.asarray(np.maximum(left @ left - gains, 0.0))
