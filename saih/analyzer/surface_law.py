"""One part of a step over several axes at once: mechanistic products, a richer sum, and a power product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from saih.analyzer.covariates import NAMES, WORDS
from saih.analyzer.fit import PREDICTION_LEVEL, Prediction
from saih.domain.quantity import amount
from saih.domain.record import Phase

Array = NDArray[np.float64]

_F, _B, _P, _G, _R, _I = range(len(NAMES))
_FOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
_FEWEST_TRAINED = 5
_LEAST_ERROR = 0.01
_QUANTILE, _LEAST_SPREAD, _DRIFT = 2.0, 0.04, 0.10
"""Half-width in log = 2.0 sqrt(sd^2 + (0.10 doublings beyond)^2 + 0.04^2): fitted on public series to hold
90 % of what lies up to 8 times beyond (source left out: 90 %)."""
_RIDGE = 1e-3
_MEMBERS = ("mechanism", "richer sum", "power product")


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceLaw:
    """Members fitted to one phase, weighted by how well they foresaw larger points from smaller ones."""

    phase: Phase
    coefficients: tuple[Array, ...]
    """Of each member; those of sums are not negative."""
    scales: tuple[Array, ...]
    weights: Array
    chained_error: float
    noise: float
    residual: float
    needs_exchange: bool
    """Nothing on one rank."""

    @property
    def text(self) -> str:
        """The mechanism in words; sizes are relative to their medians over the points."""
        parts = [
            f"{factor / 1e6:.3g} ms {_relative(name, scale)}".rstrip()
            for factor, name, scale in zip(
                self.coefficients[0], _names(self.phase), self.scales[0], strict=True
            )
            if factor > 0
        ]
        return " + ".join(parts) or "nothing"


def _relative(name: str, scale: float) -> str:
    return f"({name} / {amount(float(scale))})" if name else ""


def fit_surface_law(phase: Phase, covariates: Array, values: Array, noise: float) -> SurfaceLaw:
    """Relative non-negative least squares of the sums, a ridge regression of the power product.

    Every member is judged by forward chaining along the distance from the smallest point: fitted to the
    nearer half (60 %, ... 90 %) of the points, it must foresee the farther ones.
    """
    kinds = range(len(_MEMBERS))
    scales = tuple(np.maximum(np.median(_columns(phase, kind, covariates), axis=0), 1e-300) for kind in kinds)
    order = np.argsort(_distance(covariates), kind="stable")
    errors = _chained(phase, covariates[order], values[order], scales)
    weights = 1 / (errors**2 + _LEAST_ERROR**2)
    weights = weights / weights.sum()
    coefficients = tuple(_fit(phase, kind, covariates, values, scales[kind]) for kind in kinds)
    logs = np.stack([_says(phase, kind, covariates, scales[kind], coefficients[kind]) for kind in kinds])
    return SurfaceLaw(
        phase=phase,
        coefficients=coefficients,
        scales=scales,
        weights=weights,
        chained_error=float(np.sqrt(weights @ errors**2)),
        noise=noise,
        residual=float(np.sqrt(np.mean((weights @ logs - np.log(values)) ** 2))),
        needs_exchange=phase in _EXCHANGES,
    )


def predict_surface_law(law: SurfaceLaw, covariates: Array, doublings: Array) -> Prediction:
    """The weighted mean of the members in log; ``doublings`` beyond the measured points widen it."""
    logs = np.stack(
        [
            _says(law.phase, kind, covariates, law.scales[kind], law.coefficients[kind])
            for kind in range(len(_MEMBERS))
        ]
    )
    mean = law.weights @ logs
    spread = law.weights @ (logs - mean) ** 2
    chained = law.chained_error**2 * np.minimum(doublings, 1.0)
    own = max(law.noise, law.residual) ** 2
    variance = own + spread + chained + (_DRIFT * doublings) ** 2 + _LEAST_SPREAD**2
    # Written so that ``fit.intervals`` at 90 % reaches the calibrated number of deviations.
    deviation = np.sqrt(variance) * _QUANTILE / float(special.ndtri((1 + PREDICTION_LEVEL) / 2))
    reached = (covariates[:, _R] > 1) | (not law.needs_exchange)
    return Prediction(
        log_value=np.where(reached, mean, -np.inf),
        log_deviation=np.where(reached, deviation, 0.0),
        freedom=1e6,
    )


_EXCHANGES = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)
_READS = (Phase.INPUT_PRODUCE, Phase.INPUT_WAIT)


def _names(phase: Phase) -> tuple[str, ...]:
    """What the mechanism sums."""
    if phase in _EXCHANGES:
        return "(ranks - 1)", f"{WORDS['gradient']} (ranks - 1)/ranks"
    if phase in _READS:
        return "", WORDS["input"]
    return "", WORDS["parameters"] if phase is Phase.OPTIMIZER else WORDS["flops"]


def _columns(phase: Phase, kind: int, covariates: Array) -> Array:
    """What the member of this kind sums (or, for a power product, takes powers of), ``[point, column]``."""
    flops, traffic, parameters, gradient, ranks, read = covariates.T
    one = np.ones_like(flops)
    if kind == 2:
        return np.stack(_factors(phase, covariates), axis=1)
    if phase in _EXCHANGES:
        ring = gradient * (ranks - 1) / ranks
        few = (ranks - 1, ring)
        return np.stack(few if kind == 0 else (one, *few, gradient, np.log2(ranks)), axis=1)
    if phase in _READS:
        return np.stack((one, read) if kind == 0 else (one, read, read * ranks), axis=1)
    if phase is Phase.OPTIMIZER:
        few = (one, parameters)
        return np.stack(few if kind == 0 else (*few, parameters ** (2 / 3)), axis=1)
    few = (one, flops)
    return np.stack(few if kind == 0 else (*few, traffic, flops ** (2 / 3), parameters), axis=1)


def _factors(phase: Phase, covariates: Array) -> list[Array]:
    """Of a power product."""
    flops, traffic, parameters, gradient, ranks, read = covariates.T
    if phase in _EXCHANGES:
        return [gradient, ranks]
    if phase in _READS:
        return [read, ranks]
    return [parameters] if phase is Phase.OPTIMIZER else [flops, traffic]


def _fit(phase: Phase, kind: int, covariates: Array, values: Array, scale: Array) -> Array:
    columns = _columns(phase, kind, covariates) / scale
    if kind < 2:
        return np.asarray(optimize.nnls(columns / values[:, None], np.ones_like(values))[0])
    logs = np.concatenate([np.ones((len(values), 1)), np.log(np.maximum(columns, 1e-12))], axis=1)
    penalty = _RIDGE * len(values) * np.diag([0.0, *np.ones(logs.shape[1] - 1)])
    return np.asarray(np.linalg.solve(logs.T @ logs + penalty, logs.T @ np.log(values)))


def _says(phase: Phase, kind: int, covariates: Array, scale: Array, coefficients: Array) -> Array:
    """Log of the value at each point."""
    columns = _columns(phase, kind, covariates) / scale
    if kind < 2:
        return np.asarray(np.log(np.maximum(columns @ coefficients, 1e-3)))
    return np.asarray(coefficients[0] + np.log(np.maximum(columns, 1e-12)) @ coefficients[1:])


def _chained(phase: Phase, covariates: Array, values: Array, scales: Sequence[Array]) -> Array:
    """Root mean square log error of each member at the points farther out than those it was fitted to."""
    count = len(values)
    begins = sorted({max(int(share * count), _FEWEST_TRAINED) for share in _FOLDS} - {count})
    squares = np.zeros((len(_MEMBERS), 0))
    for begin in begins:
        if begin >= count:
            continue
        near, far = slice(0, begin), slice(begin, min(begin + max(count // 10, 1), count))
        missed = [
            _says(
                phase, kind, covariates[far], scale, _fit(phase, kind, covariates[near], values[near], scale)
            )
            - np.log(values[far])
            for kind, scale in enumerate(scales)
        ]
        squares = np.concatenate([squares, np.minimum(np.square(missed), 4.0)], axis=1)
    known = np.sqrt(squares.mean(axis=1)) if squares.shape[1] else np.full(len(_MEMBERS), 0.2)
    return np.asarray(known, dtype=np.float64)


def _distance(covariates: Array) -> Array:
    """Doublings from the smallest value of each covariate, summed."""
    positive = np.where(covariates > 0, covariates, np.nan)
    least = np.nanmin(np.where(np.isnan(positive).all(axis=0), 1.0, positive), axis=0)
    return np.asarray(np.nansum(np.log2(positive / least), axis=1), dtype=np.float64)
