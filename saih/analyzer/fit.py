"""Trends of one quantity over one axis: several laws, weighted by how well they foresee larger points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.terms import GROWTH, Library, Member, candidates, complexity, fit_member, fitted, foreseen
from saih.domain.interval import Interval
from saih.domain.record import Phase
from saih.domain.trend import Fit

Array = NDArray[np.float64]

PREDICTION_LEVEL = 0.90
GREATEST_FACTOR = 8.0
"""Beyond this multiple of the largest measured size only the law is printed, never a number."""
LEAST_NOISE = 0.01
"""Two runs of one point differ by this much in log(duration) even where each run is steady."""
NOISE_FREEDOM = 4.0
"""How many residuals the noise known from steps counts for, beside the residuals of the fit."""
DRIFT_PER_DOUBLING = 0.04
"""Standard deviation of log(value) that each doubling beyond the measured range adds: laws change."""
LEAST_WEIGHT = 1e-3


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
    """The weightiest first."""
    weights: Array
    noise: float
    """Standard deviation of log(value) that the points have by themselves."""
    scatter: tuple[tuple[float, float], ...]
    """For each member the variance of its log residuals, and the degrees of freedom of that."""


def fit_law(
    sizes: Sequence[float], values: Sequence[float], noise: float, library: Library = GROWTH
) -> Law | None:
    """The laws of at most two terms that these points support; None for fewer than two distinct sizes.

    From four sizes on, each candidate is judged by forward chaining: fitted to the first points, it must
    predict the next two; only the first three points, which nothing can predict, are judged by their
    residuals. Two or three sizes choose among the mechanistic laws and a power law by residuals alone. No
    mean error counts below the noise, so that laws which do equally well share the weight and their spread
    shows in the interval.
    """
    order = np.argsort(sizes, kind="stable")
    x, y = np.asarray(sizes, dtype=np.float64)[order], np.asarray(values, dtype=np.float64)[order]
    num_distinct = len(np.unique(x))
    if num_distinct < 2:
        return None
    noise = max(noise, LEAST_NOISE)
    groups = candidates(num_distinct, library)
    residuals = np.log(fitted(groups, x, y) / y)
    errors = residuals
    if num_distinct >= 4:
        ahead, targets = foreseen(groups, x, y, fewest=3)
        errors = np.concatenate([residuals[:, :3], np.log(ahead / y[targets])], axis=1)
    scores = errors.shape[1] * np.log(np.maximum((errors**2).mean(axis=1), noise**2)) + 2 * complexity(groups)
    weights = np.exp(-(scores - scores.min()) / 2)
    ranked = [index for index in np.argsort(-weights, kind="stable") if weights[index] >= LEAST_WEIGHT]
    members = tuple(fit_member(groups[index], x, y, float(x[0])) for index in ranked)
    return Law(
        sizes=x,
        values=y,
        members=members,
        weights=weights[ranked] / weights[ranked].sum(),
        noise=noise,
        scatter=tuple(
            _scatter(member, residuals[index], noise) for member, index in zip(members, ranked, strict=True)
        ),
    )


def predict(law: Law, sizes: Array) -> Prediction:
    """The weighted mean of the members in log, with everything that makes it uncertain.

    The variance of a new measurement is that of the coefficients, of the residuals (pooled with the noise of
    the steps), of the members around their mean (Buckland, Burnham & Augustin, Biometrics 53, 1997, 603),
    and of a drift that grows with each doubling beyond the measured range.

    Raises:
        ValueError: beyond ``GREATEST_FACTOR`` times the largest measured size.
    """
    largest = float(law.sizes[-1])
    if float(np.max(sizes)) > GREATEST_FACTOR * largest * (1 + 1e-9):
        raise ValueError(
            f"size {float(np.max(sizes)):g} is more than {GREATEST_FACTOR:g} times the largest measured size "
            f"{largest:g}; no number is given there, measure a larger point"
        )
    values, variances = (
        np.array(part) for part in zip(*(one.foresee(sizes) for one in law.members), strict=True)
    )
    logs = np.log(values)
    mean = law.weights @ logs
    inner = np.array([variance for variance, _ in law.scatter])[:, None] * (1 + variances)
    drift = DRIFT_PER_DOUBLING * np.maximum(np.log2(sizes / largest), 0.0)
    variance = law.weights @ (inner + (logs - mean) ** 2) + drift**2
    freedom = float(law.weights @ [freedom for _, freedom in law.scatter])
    return Prediction(log_value=mean, log_deviation=np.sqrt(variance), freedom=freedom)


def intervals(prediction: Prediction, count: int, level: float = PREDICTION_LEVEL) -> tuple[Interval, ...]:
    """Prediction intervals of new measurements, one for each predicted size."""
    quantile = float(special.stdtrit(prediction.freedom, (1 + level) / 2))
    reach = quantile * prediction.log_deviation
    bounds = np.exp([prediction.log_value + side * reach for side in (-1, 0, 1)]).T.tolist()
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


def _scatter(member: Member, residuals: Array, noise: float) -> tuple[float, float]:
    """Variance of log residuals, pooled with the noise that the steps show, and its degrees of freedom.

    Runs differ by more than the steps inside one run tell, so the noise counts for the less, the more the
    residuals exceed it.
    """
    squares = float(residuals @ residuals)
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
