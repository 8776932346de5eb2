"""Trends of one quantity over one axis: laws and what they foresee, with intervals that hold their level."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.calibration import CALIBRATION, FEW_SIZES, calibrated
from saih.analyzer.chaining import FEWEST
from saih.analyzer.foreseeing import foresee_all
from saih.analyzer.members import Members, joined
from saih.analyzer.selection import Points, chained_fits, residual_weights
from saih.analyzer.stack import TUNING, Mean, Stack, Tuning, heard, make_stacks
from saih.analyzer.terms import GROWTH, Library
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
MOST_FORESEEN = 16
"""Laws that are looked at together: more do not fit the caches."""
MOST_TOGETHER = 32
"""Series that are fitted at once: more are no faster and need more memory."""
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
    members: Members
    """Of the library, the weightiest first."""
    weights: Array
    noise: float
    """Standard deviation of log(value) that the points have by themselves."""
    scatter: Array
    """For each member the variance of its log residuals."""
    stack: Stack | None = None
    """What speaks beyond the largest size; None for two sizes, where the members do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One series: sizes in any order, a positive value at each, and what is known of their noise."""

    sizes: Sequence[float]
    values: Sequence[float] | Array
    noise: float
    """Standard deviation of log(value) that each has by itself."""
    library: Library = GROWTH


def fit_law(
    sizes: Sequence[float],
    values: Sequence[float],
    noise: float,
    library: Library = GROWTH,
    tuning: Tuning = TUNING,
) -> Law | None:
    """``fit_laws`` for one series."""
    return fit_laws([Measured(sizes=sizes, values=values, noise=noise, library=library)], tuning)[0]


def fit_laws(series: Sequence[Measured], tuning: Tuning = TUNING) -> list[Law | None]:
    """The laws that the points of each series support; None for fewer than two distinct sizes.

    From four sizes on, each law of at most two terms is judged by forward chaining: fitted to the first
    points, it must predict the next two; only the first three points, which nothing can predict, are judged
    by their residuals. Two or three sizes choose among the mechanistic laws and a power law by residuals
    alone. No mean error counts below the noise, so that laws which do equally well share the weight and their
    spread shows in the interval. Points that share a size are repeats: their median counts. Series over the
    same sizes are fitted together, which costs a fraction and changes nothing.
    """
    ready = [_distinct(one) for one in series]
    groups: dict[tuple[bytes, Library], list[int]] = defaultdict(list)
    for place, one in enumerate(ready):
        if len(one.sizes) > 1:
            groups[one.sizes.tobytes(), one.library].append(place)
    found: list[Law | None] = [None] * len(series)
    for places in groups.values():
        for begin in range(0, len(places), MOST_TOGETHER):
            some = places[begin : begin + MOST_TOGETHER]
            for place, law in zip(some, _fit_together([ready[place] for place in some], tuning), strict=True):
                found[place] = law
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A series in order, and its points at distinct sizes."""

    x: Array
    y: Array
    sizes: Array
    values: Array
    noise: float
    library: Library


def _distinct(one: Measured) -> _Ready:
    """Medians over repeats; where repeats tell of more noise than was known, that counts."""
    order = np.argsort(one.sizes, kind="stable")
    x, y = (np.asarray(part, dtype=np.float64)[order] for part in (one.sizes, one.values))
    noise = max(one.noise, LEAST_NOISE)
    if np.all(x[1:] > x[:-1]):
        return _Ready(x=x, y=y, sizes=x, values=y, noise=noise, library=one.library)
    sizes, places = np.unique(x, return_inverse=True)
    logs = np.log(y)
    middles = np.array([np.median(logs[places == place]) for place in range(len(sizes))])
    own = float(np.sqrt(np.sum((logs - middles[places]) ** 2) / (len(x) - len(sizes))))
    return _Ready(x=x, y=y, sizes=sizes, values=np.exp(middles), noise=max(noise, own), library=one.library)


def _fit_together(series: Sequence[_Ready], tuning: Tuning) -> list[Law]:
    """Laws of series over the same sizes, at least two of them."""
    points = Points(
        sizes=series[0].sizes,
        values=np.stack([one.values for one in series]),
        noise=np.array([one.noise for one in series]),
        library=series[0].library,
    )
    fits = chained_fits(points) if len(points.sizes) >= FEWEST else None
    means = heard(points, residual_weights(points) if fits is None else fits.weights[..., -1])
    stacks = [None] * len(series) if fits is None else make_stacks(points, fits, means, tuning)
    return [
        Law(
            sizes=one.x,
            values=one.y,
            members=mean.members,
            weights=mean.weights,
            noise=one.noise,
            scatter=scatter,
            stack=stack,
        )
        for one, mean, stack, scatter in zip(series, means, stacks, _scatters(means, points), strict=True)
    ]


def predict(law: Law, sizes: Array) -> Prediction:
    """What the law foresees at these sizes, with everything that makes it uncertain.

    Raises:
        ValueError: beyond ``GREATEST_FACTOR`` times the largest measured size.
    """
    return predict_all([law], sizes)[0]


def predict_all(laws: Sequence[Law], sizes: Array) -> list[Prediction]:
    """``predict`` for each law; laws of one library together, which costs a fraction and changes nothing.

    Raises:
        ValueError: beyond ``GREATEST_FACTOR`` times the largest measured size of any of them.
    """
    greatest = float(np.max(sizes))
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for place, law in enumerate(laws):
        _require_reach(law, greatest)
        groups[_kind(law)].append(place)
    found: dict[int, Prediction] = {}
    for places in groups.values():
        for begin in range(0, len(places), MOST_FORESEEN):
            some = places[begin : begin + MOST_FORESEEN]
            found.update(zip(some, _predict_alike([laws[place] for place in some], sizes), strict=True))
    return [found[place] for place in range(len(laws))]


def _require_reach(law: Law, greatest: float) -> None:
    largest = float(law.sizes[-1])
    if greatest > GREATEST_FACTOR * largest * (1 + 1e-9):
        raise ValueError(
            f"size {greatest:g} is more than {GREATEST_FACTOR:g} times the largest measured size "
            f"{largest:g}; no number is given there, measure a larger point"
        )


def _kind(law: Law) -> Hashable:
    """What laws must have in common to be looked at together."""
    own, stack = (law.members.names, law.members.scale), law.stack
    return own if stack is None else (*own, stack.num_chained > 0, stack.curves[2].members.names)


def _predict_alike(laws: Sequence[Law], sizes: Array) -> list[Prediction]:
    logs, doubts = foresee_all(laws, sizes)
    is_chained = laws[0].stack is not None and laws[0].stack.num_chained > 0
    calibration = CALIBRATION if is_chained else FEW_SIZES
    deviations = np.sqrt(calibrated(doubts, calibration))
    return [
        Prediction(log_value=log_value, log_deviation=deviation, freedom=calibration.freedom)
        for log_value, deviation in zip(logs, deviations, strict=True)
    ]


def smooth(law: Law, sizes: Array) -> Array:
    """Log of the weighted mean of the members: the law without its last point's own residual."""
    return np.asarray(law.weights @ np.log(law.members.at(sizes)))


def half_widths(prediction: Prediction, level: float = PREDICTION_LEVEL) -> Array:
    """Of the prediction intervals of log(value), one for each predicted size."""
    return float(special.stdtrit(prediction.freedom, (1 + level) / 2)) * prediction.log_deviation


def intervals(prediction: Prediction, count: int, level: float = PREDICTION_LEVEL) -> tuple[Interval, ...]:
    """Prediction intervals of new measurements, one for each predicted size."""
    reach = half_widths(prediction, level)
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


def _scatters(means: Sequence[Mean], points: Points) -> list[Array]:
    """For each series the variance of log residuals of each member, pooled with the noise that steps show.

    Runs differ by more than the steps inside one run tell, so the noise counts for the less, the more the
    residuals exceed it.
    """
    members, counts = joined([mean.members for mean in means]), [len(mean.members) for mean in means]
    owners = np.repeat(np.arange(len(means)), counts)
    residuals, variance = np.log(members.at(points.sizes) / points.values[owners]), points.noise[owners] ** 2
    squares = (residuals**2).sum(axis=1)
    freedom = np.maximum(residuals.shape[1] - members.num_parameters, 0)
    excess = np.where(freedom > 0, squares / np.maximum(freedom, 1) / variance, 1.0)
    trust = NOISE_FREEDOM / np.maximum(excess, 1.0)
    return np.split((trust * variance + squares) / (trust + freedom), np.cumsum(counts)[:-1])


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
