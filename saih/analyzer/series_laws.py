"""Laws of a foreign series: one for each phase where phases are told, else one of the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Law, Prediction, fit_law, predict
from saih.analyzer.terms import EXCHANGE, GROWTH, OWN_WORK, SHARED_WORK, Library
from saih.domain.series import HIDDEN_PHASES, SeriesKind
from saih.domain.series_trend import SeriesPoint

Array = NDArray[np.float64]

LEAST_SHARE = 0.005
"""Phases below this share of the whole at every size get no law; the factor covers them."""
LEAST_VALUE = 0.0005
"""A phase that takes nothing at some size is fitted as this share of the whole there."""
_EXCHANGES = ("communication", "communication_total")
LIBRARIES: Mapping[SeriesKind, Library] = {
    SeriesKind.STRONG: SHARED_WORK,
    SeriesKind.WEAK: OWN_WORK,
    SeriesKind.SIZE: GROWTH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Points of the whole and of every phase, by growing size, and the noise of each."""

    kind: SeriesKind
    points: tuple[SeriesPoint, ...]
    noise: float
    phases: Mapping[str, tuple[SeriesPoint, ...]]
    phase_noise: Mapping[str, float]

    def below(self, size: float) -> "Measured":
        """What was measured at smaller sizes."""
        return replace(
            self,
            points=tuple(point for point in self.points if point.size < size),
            phases={
                name: tuple(point for point in points if point.size < size)
                for name, points in self.phases.items()
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLaws:
    """``whole = factor x sum of parts``; without parts the law of the whole stands alone."""

    measured: Measured
    total: Law
    parts: Mapping[str, Law]
    hidden: Mapping[str, Law]
    factor: float
    """Geometric mean of whole / sum of parts: medians do not add."""
    factor_deviation: float

    @property
    def noise(self) -> float:
        """Standard deviation of log(value) of the whole."""
        return self.measured.noise

    def without(self, size: float) -> Measured:
        """What is left when this size and larger ones are held out."""
        return self.measured.below(size)

    def of_whole(self, sizes: Array) -> Prediction:
        """What the law of the whole says, which knows no phases."""
        return predict(self.total, sizes)


def fit_series(measured: Measured) -> SeriesLaws | None:
    """The laws that the points support; None for fewer than two sizes."""
    sizes = [point.size for point in measured.points]
    values = np.array([point.value for point in measured.points])
    total = fit_law(sizes, values.tolist(), measured.noise, LIBRARIES[measured.kind])
    if total is None:
        return None
    laws = {
        name: law
        for name in measured.phases
        if (law := _phase_law(measured, name, sizes, values)) is not None
    }
    parts = {name: law for name, law in laws.items() if name not in HIDDEN_PHASES}
    gaps = np.zeros(1)
    if parts:
        gaps = np.log(values / np.sum([_values(measured.phases[name]) for name in parts], axis=0))
    return SeriesLaws(
        measured=measured,
        total=total,
        parts=parts,
        hidden={name: law for name, law in laws.items() if name in HIDDEN_PHASES},
        factor=float(np.exp(gaps.mean())),
        factor_deviation=float(gaps.std(ddof=1)) if len(gaps) > 1 else 0.0,
    )


def predict_series(laws: SeriesLaws, sizes: Array) -> Prediction:
    """The whole at these sizes, put together from its phases where they are known.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    if not laws.parts:
        return laws.of_whole(sizes)
    found = [predict(law, sizes) for law in laws.parts.values()]
    values = np.exp([one.log_value for one in found])
    total = values.sum(axis=0)
    # Phases of one run are fast or slow together, so their errors add without cancelling.
    deviation = (values * [one.log_deviation for one in found]).sum(axis=0) / total
    spread = laws.factor_deviation / np.sqrt(len(laws.measured.points))
    return Prediction(
        log_value=np.log(total * laws.factor),
        log_deviation=np.hypot(deviation, spread),
        freedom=min(one.freedom for one in found),
    )


def _phase_law(measured: Measured, name: str, sizes: Sequence[float], whole: Array) -> Law | None:
    points = measured.phases[name]
    if [point.size for point in points] != list(sizes):
        return None
    values = _values(points)
    if np.all(values < LEAST_SHARE * whole):
        return None
    is_exchange = name in _EXCHANGES and measured.kind is not SeriesKind.SIZE and sizes[0] >= 2
    library = EXCHANGE if is_exchange else LIBRARIES[measured.kind]
    fitted = np.maximum(values, LEAST_VALUE * whole)
    return fit_law(sizes, fitted.tolist(), measured.phase_noise.get(name, 0.0), library)


def _values(points: Sequence[SeriesPoint]) -> Array:
    return np.array([point.value for point in points])
