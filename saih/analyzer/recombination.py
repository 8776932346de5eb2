"""The step put together again from laws of its phases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Law, Prediction, fit_law, predict
from saih.analyzer.propagation import log_deviation
from saih.analyzer.terms import GROWTH, Library
from saih.domain.interval import Interval
from saih.domain.record import ADDITIVE_PHASES, Phase
from saih.domain.trend import PointSummary

Array = NDArray[np.float64]

LEAST_SHARE = 0.005
"""Phases below this share of the step at every point get no law; the scale factor covers them."""
LEAST_VALUE = 0.0005
"""A phase of no duration at some point is fitted as this share of that point's step."""
OVERLAP_POWER = 8.0
"""Exponent of the smooth maximum between work and the production of input."""
OVERLAP_TOLERANCE = 0.1
_EXCHANGES = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Which laws the parts of a step choose from along an axis."""

    whole: Library = GROWTH
    work: Library = GROWTH
    exchange: Library = GROWTH
    exchange_begins: float = 0.0
    """Smallest size at which anything is exchanged; below it exchanges take nothing."""


PROBLEM_GROWS = Family()


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Laws of the phases, and how they make a step.

    ``step = factor x sum of additive laws``; where the input is produced ahead (``produce``), the waiting
    for it is not a law of its own: ``step = factor x (work^8 + produce^8)^(1/8)``.
    """

    laws: Mapping[Phase, Law]
    """Of the additive phases that take part."""
    produce: Law | None
    hidden: Mapping[Phase, Law]
    """Of phases that may overlap others; shown, not added."""
    factor: float
    """Geometric mean of measured step / composed step: medians of phases do not sum to that of the step."""
    factor_deviation: float
    num_points: int


def compose(
    points: Sequence[PointSummary], sizes: Sequence[float], family: Family = PROBLEM_GROWS
) -> Composition | None:
    """Laws of every phase that matters over these points.

    None for fewer than two distinct sizes, or where an exchange that matters was measured at only one.
    """
    if len(set(sizes)) < 2 or _is_lone_exchange(points, sizes, family):
        return None
    steps = np.array([point.step_ns.value for point in points])
    hidden = {
        phase: law
        for phase in (Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL)
        if (law := _phase_law(points, sizes, phase, family)) is not None
    }
    produce = hidden.get(Phase.INPUT_PRODUCE)
    if produce is not None and not _is_overlap(points):
        produce = None
    laws = {
        phase: law
        for phase in ADDITIVE_PHASES
        if (produce is None or phase is not Phase.INPUT_WAIT)
        and (law := _phase_law(points, sizes, phase, family)) is not None
    }
    work = np.sum([_medians(points, phase) for phase in laws], axis=0)
    composed = _smooth_maximum(work, _medians(points, Phase.INPUT_PRODUCE)) if produce is not None else work
    gaps = np.log(steps / composed)
    return Composition(
        laws=laws,
        produce=produce,
        hidden=hidden,
        factor=float(np.exp(gaps.mean())),
        factor_deviation=float(gaps.std(ddof=1)),
        num_points=len(points),
    )


def predict_step(composition: Composition, sizes: Array) -> Prediction:
    """The composed step with the errors of its parts.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    parts = [_predict_reached(law, sizes) for law in composition.laws.values()]
    values = np.exp([part.log_value for part in parts]) * _is_reached(composition.laws.values(), sizes)
    errors = values * [part.log_deviation for part in parts]
    work = values.sum(axis=0)
    # Phases of one run are fast or slow together, so their errors add without cancelling.
    variance = (errors.sum(axis=0) / work) ** 2
    total, freedom = work, min(part.freedom for part in parts)
    if composition.produce is not None:
        ahead = predict(composition.produce, sizes)
        total = _smooth_maximum(work, np.exp(ahead.log_value))
        weight = (work / total) ** OVERLAP_POWER
        variance = weight**2 * variance + (1 - weight) ** 2 * ahead.log_deviation**2
        freedom = min(freedom, ahead.freedom)
    variance = variance + composition.factor_deviation**2 / composition.num_points
    return Prediction(
        log_value=np.log(total * composition.factor), log_deviation=np.sqrt(variance), freedom=freedom
    )


def work_and_produce(composition: Composition, sizes: Array) -> tuple[Array, Array] | None:
    """Predicted work and input production [ns] at these sizes; None where production is not ahead."""
    if composition.produce is None:
        return None
    parts = np.exp([_predict_reached(law, sizes).log_value for law in composition.laws.values()])
    work = np.sum(parts * _is_reached(composition.laws.values(), sizes), axis=0)
    return work, np.exp(predict(composition.produce, sizes).log_value)


def pooled_noise(values: Sequence[Interval]) -> float:
    """Root mean square of the standard deviations of log(value) that positive intervals stand for."""
    deviations = [log_deviation(value) for value in values if value.low > 0]
    return float(np.sqrt(np.mean(np.square(deviations)))) if deviations else 0.0


def _is_reached(laws: Iterable[Law], sizes: Array) -> NDArray[np.bool_]:
    """Where each law holds: exchanges have none at sizes at which nothing is exchanged, ``[law, size]``."""
    return np.array([sizes >= law.sizes[0] * (1 - 1e-9) for law in laws])


def _predict_reached(law: Law, sizes: Array) -> Prediction:
    """The law, or its value at its smallest size where it does not hold."""
    return predict(law, np.maximum(sizes, law.sizes[0]))


def _is_lone_exchange(points: Sequence[PointSummary], sizes: Sequence[float], family: Family) -> bool:
    begun = [index for index, size in enumerate(sizes) if size >= family.exchange_begins]
    if len({sizes[index] for index in begun}) != 1 or len(begun) == len(sizes):
        return False
    own = [points[index] for index in begun]
    return any(_value(one, Phase.COMMUNICATION) >= LEAST_SHARE * one.step_ns.value for one in own)


def _phase_law(
    points: Sequence[PointSummary], sizes: Sequence[float], phase: Phase, family: Family
) -> Law | None:
    if any(phase not in point.phases_ns for point in points):
        return None
    library = family.work
    if phase in _EXCHANGES:
        library = family.exchange
        begun = [index for index, size in enumerate(sizes) if size >= family.exchange_begins]
        points, sizes = [points[index] for index in begun], [sizes[index] for index in begun]
        if not points:
            return None
    steps = np.array([point.step_ns.value for point in points])
    values = _medians(points, phase)
    if np.all(values < LEAST_SHARE * steps):
        return None
    noise = pooled_noise([point.phases_ns[phase] for point in points])
    return fit_law(sizes, np.maximum(values, LEAST_VALUE * steps).tolist(), noise, library)


def _is_overlap(points: Sequence[PointSummary]) -> bool:
    """Whether every measured step is as long as the longer of its work and its input production."""
    for point in points:
        wait = point.phases_ns[Phase.INPUT_WAIT].value
        work = point.step_ns.value - wait
        longer = max(work, point.phases_ns[Phase.INPUT_PRODUCE].value)
        if abs(longer / point.step_ns.value - 1) > OVERLAP_TOLERANCE:
            return False
    return True


def _medians(points: Sequence[PointSummary], phase: Phase) -> Array:
    return np.array([_value(point, phase) for point in points])


def _value(point: PointSummary, phase: Phase) -> float:
    return point.phases_ns[phase].value


def _smooth_maximum(work: Array, produce: Array) -> Array:
    longer = np.maximum(work, produce)
    powers = (work / longer) ** OVERLAP_POWER + (produce / longer) ** OVERLAP_POWER
    return np.asarray(longer * powers ** (1 / OVERLAP_POWER), dtype=np.float64)
