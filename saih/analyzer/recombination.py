"""The step put together again from laws of its phases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Law, Prediction, fit_law, predict
from saih.analyzer.overlap import OVERLAP_POWER, Overlap, fit_overlap, fit_power, smooth_maximum
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
OVERLAP_TOLERANCE = 0.1
"""Of a step; by more no rule may miss it."""
LEAST_RUN_NOISE = 0.025
"""Standard deviation of log(phase) that is assumed at least: two runs of one point differ by more than the
steps inside either tell, and few points cannot show by how much."""
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

    ``step = factor x max(work, produce)`` with a smooth maximum, ``work = sum of additive laws + exposed``.
    Where the exchange is hidden (``overlap``), its exposed part is not a law of its own but follows from all
    of it and the backward pass; where the input is produced ahead (``produce``), neither is the wait for it.
    """

    laws: Mapping[Phase, Law]
    """Of the additive phases that take part."""
    produce: Law | None
    hidden: Mapping[Phase, Law]
    """Of phases that may overlap others; shown, not added."""
    overlap: Overlap | None
    power: float
    """Exponent of the smooth maximum of work and production."""
    num_loaders: int
    """Batches that are produced at the same time, as measured."""
    factor: float
    """Geometric mean of measured step / composed step: medians of phases do not sum to that of the step."""
    factor_deviation: float
    num_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What competes for a step at these sizes; None for what takes no part."""

    compute: Prediction
    exchange: Prediction | None
    """Exposed."""
    produce: Prediction | None
    """Input for one step, hidden or not."""


def compose(
    points: Sequence[PointSummary], sizes: Sequence[float], family: Family = PROBLEM_GROWS
) -> Composition | None:
    """Laws of every phase that matters over these points.

    None for fewer than two distinct sizes, or where an exchange that matters was measured at only one.
    """
    if len(set(sizes)) < 2 or _is_lone_exchange(points, sizes, family):
        return None
    hidden = {
        phase: law
        for phase in (Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL)
        if (law := _phase_law(points, sizes, phase, family)) is not None
    }
    overlap = _overlap(points, sizes, family) if Phase.COMMUNICATION_TOTAL in hidden else None
    num_loaders = _count_loaders(points)
    produce = hidden.get(Phase.INPUT_PRODUCE) if num_loaders else None
    laws = {
        phase: law
        for phase in ADDITIVE_PHASES
        if (produce is None or phase is not Phase.INPUT_WAIT)
        and (law := _phase_law(points, sizes, phase, family)) is not None
    }
    work = np.sum([_medians(points, phase) for phase in laws], axis=0)
    if overlap is not None and Phase.BACKWARD in laws:
        hidden |= {phase: laws.pop(phase) for phase in (Phase.COMMUNICATION,) if phase in laws}
    else:
        overlap = None
    ahead = _medians(points, Phase.INPUT_PRODUCE) / num_loaders if produce is not None else 0 * work
    steps = np.array([point.step_ns.value for point in points])
    power = fit_power(work, ahead, steps) if produce is not None else OVERLAP_POWER
    gaps = np.log(steps / smooth_maximum(work, ahead, power))
    return Composition(
        laws=laws,
        produce=produce,
        hidden=hidden,
        overlap=overlap,
        power=power,
        num_loaders=num_loaders,
        factor=float(np.exp(gaps.mean())),
        factor_deviation=float(gaps.std(ddof=1)),
        num_points=len(points),
    )


def predict_step(composition: Composition, sizes: Array) -> Prediction:
    """The composed step with the errors of its parts.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    return recombine(composition, predict_parts(composition, sizes))


def recombine(composition: Composition, parts: Parts) -> Prediction:
    """The step that these parts make."""
    work = sum_of([parts.compute] + ([parts.exchange] if parts.exchange is not None else []))
    total, variance, freedom = np.exp(work.log_value), work.log_deviation**2, work.freedom
    if parts.produce is not None:
        longer = smooth_maximum(total, np.exp(parts.produce.log_value), composition.power)
        weight = (total / longer) ** composition.power
        variance = weight**2 * variance + (1 - weight) ** 2 * parts.produce.log_deviation**2
        total, freedom = longer, min(freedom, parts.produce.freedom)
    variance = variance + composition.factor_deviation**2 / composition.num_points
    return Prediction(
        log_value=np.log(total * composition.factor), log_deviation=np.sqrt(variance), freedom=freedom
    )


def predict_parts(composition: Composition, sizes: Array) -> Parts:
    """Compute, exposed exchange and the production of input at these sizes.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    laws = composition.laws
    own = [_predict_reached(laws[phase], sizes) for phase in laws if phase is not Phase.COMMUNICATION]
    exchange = None
    if composition.overlap is not None:
        exchange = _exposed(composition, composition.overlap, sizes)
    elif Phase.COMMUNICATION in laws:
        exchange = _predict_reached(laws[Phase.COMMUNICATION], sizes)
    produce = None
    if composition.produce is not None:
        one = predict(composition.produce, sizes)
        produce = replace(one, log_value=one.log_value - np.log(composition.num_loaders))
    compute = sum_of(own) if own else None
    if compute is None:
        nothing = np.full_like(sizes, -np.inf)
        compute = Prediction(log_value=nothing, log_deviation=np.zeros_like(sizes), freedom=np.inf)
    return Parts(compute=compute, exchange=exchange, produce=produce)


def _exposed(composition: Composition, overlap: Overlap, sizes: Array) -> Prediction:
    """Mean over the overlaps that hold; errors of the exchange, and the spread between them."""
    law = composition.hidden[Phase.COMMUNICATION_TOTAL]
    total = _predict_reached(law, sizes)
    backward = _predict_reached(composition.laws[Phase.BACKWARD], sizes)
    whole, window = np.exp(total.log_value), np.exp(backward.log_value)
    cases = overlap.exposed(whole, window)
    mean = overlap.weights @ cases
    spread = overlap.weights @ (cases - mean) ** 2
    step = 1e-3
    slope = (overlap.weights @ overlap.exposed(whole * (1 + step), window) - mean) / step
    error = np.sqrt(spread + (slope * total.log_deviation) ** 2)
    reached = mean > 0
    return Prediction(
        log_value=np.log(mean, where=reached, out=np.full_like(mean, -np.inf)),
        log_deviation=np.where(reached, error / np.where(reached, mean, 1.0), 0.0),
        freedom=min(total.freedom, backward.freedom),
    )


def sum_of(parts: Sequence[Prediction]) -> Prediction:
    """The sum of parts of one step at the same sizes.

    Phases of one run are fast or slow together, so their errors add without cancelling.
    """
    values = np.exp([part.log_value for part in parts])
    total = values.sum(axis=0)
    errors = (values * [part.log_deviation for part in parts]).sum(axis=0)
    return Prediction(
        log_value=np.log(total),
        log_deviation=errors / total,
        freedom=min(part.freedom for part in parts),
    )


def pooled_noise(values: Sequence[Interval]) -> float:
    """Root mean square of the standard deviations of log(value) that positive intervals stand for."""
    deviations = [log_deviation(value) for value in values if value.low > 0]
    return float(np.sqrt(np.mean(np.square(deviations)))) if deviations else 0.0


def _predict_reached(law: Law, sizes: Array) -> Prediction:
    """The law; nothing, without error, below its smallest size: there is no exchange on one rank."""
    found = predict(law, np.maximum(sizes, law.sizes[0]))
    reached = sizes >= law.sizes[0] * (1 - 1e-9)
    return replace(
        found,
        log_value=np.where(reached, found.log_value, -np.inf),
        log_deviation=np.where(reached, found.log_deviation, 0.0),
    )


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
    noise = max(pooled_noise([point.phases_ns[phase] for point in points]), LEAST_RUN_NOISE)
    return fit_law(sizes, np.maximum(values, LEAST_VALUE * steps).tolist(), noise, library)


def _count_loaders(points: Sequence[PointSummary]) -> int:
    """Batches produced at the same time; 0 unless every step is as long as the longer of work and production.

    Where steps wait for input, one of them lasts as long as a batch takes over the number of loaders.
    """
    if any(Phase.INPUT_PRODUCE not in point.phases_ns for point in points):
        return 0
    steps = np.array([point.step_ns.value for point in points])
    waits, produce = _medians(points, Phase.INPUT_WAIT), _medians(points, Phase.INPUT_PRODUCE)
    late = waits > OVERLAP_TOLERANCE * steps
    ratio = float(np.median(produce[late] / steps[late])) if late.any() else 1.0
    count = max(round(ratio), 1)
    longer = np.maximum(steps - waits, produce / count)
    return count if np.all(np.abs(longer / steps - 1) <= OVERLAP_TOLERANCE) else 0


def _overlap(points: Sequence[PointSummary], sizes: Sequence[float], family: Family) -> Overlap | None:
    """How the exchange is hidden, from the points that exchange anything."""
    own = [point for point, size in zip(points, sizes, strict=True) if size >= family.exchange_begins]
    if any(phase not in point.phases_ns for point in own for phase in _EXCHANGES):
        return None
    noise = pooled_noise([point.phases_ns[Phase.COMMUNICATION_TOTAL] for point in own])
    return fit_overlap(
        _medians(own, Phase.COMMUNICATION_TOTAL),
        _medians(own, Phase.BACKWARD),
        _medians(own, Phase.COMMUNICATION),
        np.array([point.step_ns.value for point in own]),
        max(noise, LEAST_RUN_NOISE),
    )


def _medians(points: Sequence[PointSummary], phase: Phase) -> Array:
    return np.array([_value(point, phase) for point in points])


def _value(point: PointSummary, phase: Phase) -> float:
    return point.phases_ns[phase].value
