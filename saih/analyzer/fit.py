"""Trends of one quantity over one axis: laws and what they foresee, with intervals that hold their level."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.calibration import CALIBRATION, FEW_SIZES, Doubts, calibrated
from saih.analyzer.chaining import FEWEST
from saih.analyzer.selection import Points, chained_fits, residual_weights
from saih.analyzer.stack import TUNING, Stack, Tuning, heard, make_stack, weighted_median
from saih.analyzer.terms import GROWTH, Library, Member
from saih.domain.interval import Interval
from saih.domain.record import Phase
from saih.domain.trend import Fit

Array = NDArray[np.float64]

PREDICTION_LEVEL = 0.90
GREATEST_FACTOR = 8.0
"""Beyond this multiple of the largest measured size only the law is printed, never a number."""
LEAST_NOISE = 0.01
"""Two runs of one point differ by this much in log(duration) even where each run is steady."""
_LAST_LOG = 700.0
"""Bounds end before doubles do."""
NOISE_FREEDOM = 4.0
"""How many residuals the noise known from steps counts for, beside the residuals of the fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Log of the predicted values and their standard deviations, with the degrees of freedom of the noise."""

    log_value: Array
    log_deviation: Array
    freedom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Weighted members fitted to the same points. Sizes grow; values are positive."""

    sizes: Array
    values: Array
    members: tuple[Member, ...]
    """Of the library, the weightiest first."""
    weights: Array
    noise: float
    """Standard deviation of log(value) that the points have by themselves."""
    scatter: tuple[tuple[float, float], ...]
    """For each member the variance of its log residuals, and the degrees of freedom of that."""
    stack: Stack | None = None
    """What speaks beyond the largest size; None for two sizes, where the members do."""


def fit_law(
    sizes: Sequence[float],
    values: Sequence[float],
    noise: float,
    library: Library = GROWTH,
    tuning: Tuning = TUNING,
) -> Law | None:
    """The laws that these points support; None for fewer than two distinct sizes.

    From four sizes on, each law of at most two terms is judged by forward chaining: fitted to the first
    points, it must predict the next two; only the first three points, which nothing can predict, are judged
    by their residuals. Two or three sizes choose among the mechanistic laws and a power law by residuals
    alone. No mean error counts below the noise, so that laws which do equally well share the weight and their
    spread shows in the interval. Points that share a size are repeats: their median counts.
    """
    order = np.argsort(sizes, kind="stable")
    x, y = np.asarray(sizes, dtype=np.float64)[order], np.asarray(values, dtype=np.float64)[order]
    points = _distinct(x, y, max(noise, LEAST_NOISE), library)
    count = len(points.sizes)
    if count < 2:
        return None
    fits = chained_fits(points) if count >= FEWEST else None
    weights = residual_weights(points) if fits is None else fits.weights[:, -1]
    mean = heard(points, weights)
    return Law(
        sizes=x,
        values=y,
        members=mean.members,
        weights=mean.weights,
        noise=points.noise,
        scatter=tuple(_scatter(member, points) for member in mean.members),
        stack=make_stack(points, fits, mean, tuning) if fits is not None else None,
    )


def _distinct(x: Array, y: Array, noise: float, library: Library) -> Points:
    """Medians over repeats; where repeats tell of more noise than was known, that counts."""
    if np.all(x[1:] > x[:-1]):
        return Points(sizes=x, values=y, noise=noise, library=library)
    sizes, places = np.unique(x, return_inverse=True)
    logs = np.log(y)
    middles = np.array([np.median(logs[places == place]) for place in range(len(sizes))])
    own = np.sum((logs - middles[places]) ** 2) / (len(x) - len(sizes))
    return Points(sizes=sizes, values=np.exp(middles), noise=max(noise, float(np.sqrt(own))), library=library)


def predict(law: Law, sizes: Array) -> Prediction:
    """What the law foresees at these sizes, with everything that makes it uncertain (``doubts``).

    Inside the measured range that is the weighted mean of the members in log, beyond it the stack; between
    the two largest sizes one passes into the other.

    Raises:
        ValueError: beyond ``GREATEST_FACTOR`` times the largest measured size.
    """
    largest = float(law.sizes[-1])
    if float(np.max(sizes)) > GREATEST_FACTOR * largest * (1 + 1e-9):
        raise ValueError(
            f"size {float(np.max(sizes)):g} is more than {GREATEST_FACTOR:g} times the largest measured size "
            f"{largest:g}; no number is given there, measure a larger point"
        )
    log_value, doubts = foresee(law, sizes)
    is_chained = law.stack is not None and law.stack.num_chained > 0
    calibration = CALIBRATION if is_chained else FEW_SIZES
    deviation = np.sqrt(calibrated(doubts, calibration))
    return Prediction(log_value=log_value, log_deviation=deviation, freedom=calibration.freedom)


def foresee(law: Law, sizes: Array) -> tuple[Array, Doubts]:
    """Log of the foreseen values, and what makes them uncertain."""
    values, factors = (
        np.array(part) for part in zip(*(one.foresee(sizes) for one in law.members), strict=True)
    )
    logs = np.log(values)
    mean = law.weights @ logs
    scatter = np.array([variance for variance, _ in law.scatter])
    doublings = np.maximum(np.log2(sizes / law.sizes[-1]), 0.0)
    doubts = Doubts(
        scatter=np.full(len(mean), law.weights @ scatter),
        near=law.weights @ scatter * np.maximum(1 - doublings, 0.0),
        coefficients=(law.weights * scatter) @ factors,
        laws=law.weights @ (logs - mean) ** 2,
        voices=np.zeros_like(mean),
        chained=np.zeros_like(mean),
    )
    if law.stack is None or float(np.max(sizes)) <= law.stack.begins:
        return mean, doubts
    said, beyond = law.stack.log_values(sizes), sizes > law.sizes[-1]
    median = weighted_median(said, np.broadcast_to(law.stack.weights[:, None], said.shape))
    part = law.stack.part(sizes)
    voices = law.stack.credits @ (said - median) ** 2
    chained = law.stack.chained_error**2 * law.stack.steps_beyond(sizes)
    return (1 - part) * mean + part * median, replace(
        doubts, voices=np.where(beyond, voices, 0.0), chained=chained
    )


def smooth(law: Law, sizes: Array) -> Array:
    """Log of the weighted mean of the members: the law without its last point's own residual."""
    return np.asarray(law.weights @ np.log(np.stack([member.at(sizes) for member in law.members])))


def intervals(prediction: Prediction, count: int, level: float = PREDICTION_LEVEL) -> tuple[Interval, ...]:
    """Prediction intervals of new measurements, one for each predicted size."""
    quantile = float(special.stdtrit(prediction.freedom, (1 + level) / 2))
    reach = quantile * prediction.log_deviation
    logs = np.clip([prediction.log_value + side * reach for side in (-1, 0, 1)], -_LAST_LOG, _LAST_LOG)
    bounds = np.exp(logs).T.tolist()
    return tuple(
        Interval(low=low, value=value, high=high, level=level, count=count) for low, value, high in bounds
    )


def describe(law: Law, phase: Phase | None) -> Fit:
    """The weightiest member in words, with the residual of the points around it."""
    best = law.members[0]
    parts = [
        _word(coefficient, term, best.scale)
        for coefficient, term in zip(best.coefficients, best.terms, strict=True)
    ]
    return Fit(
        phase=phase,
        terms=best.terms,
        coefficients=best.coefficients,
        scale=best.scale,
        residual=float(np.sqrt(np.mean(np.log(law.values / best.at(law.sizes)) ** 2))),
        text=" + ".join(parts),
    )


def _scatter(member: Member, points: Points) -> tuple[float, float]:
    """Variance of log residuals, pooled with the noise that the steps show, and its degrees of freedom.

    Runs differ by more than the steps inside one run tell, so the noise counts for the less, the more the
    residuals exceed it.
    """
    residuals = np.log(member.at(points.sizes) / points.values)
    squares, noise = float(residuals @ residuals), points.noise
    freedom = max(len(residuals) - member.num_parameters, 0)
    excess = squares / freedom / noise**2 if freedom else 1.0
    trust = NOISE_FREEDOM / max(excess, 1.0)
    return (trust * noise**2 + squares) / (trust + freedom), trust + freedom


def _word(coefficient_ns: float, term: str, scale: float) -> str:
    amount = f"{coefficient_ns / 1e6:.3g} ms"
    form = term_words(term, scale)
    return f"{amount} {form}" if form else amount


def term_words(term: str, scale: float) -> str:
    """A term in words, such as ``(x / 4096)``; empty for the constant."""
    ratio = f"(x / {scale:.6g})" if scale != 1 else "x"
    logarithm = f"log(1 + x) / log(1 + {scale:.6g})"
    forms = {
        "1": "",
        "x": ratio,
        "log x": logarithm,
        "x log x": f"{ratio} {logarithm}",
        "1 - 1/x": f"(1 - 1/x) / (1 - 1/{scale:.6g})",
        "x - 1": f"(x - 1) / ({scale:.6g} - 1)",
    }
    return forms.get(term, f"{ratio}^{term.removeprefix('x^')}")
