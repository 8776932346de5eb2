"""How the phases of a step make the step: what is summed, what hides what, as the points themselves show."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Prediction
from saih.analyzer.overlap import OVERLAP_POWER, Overlap, fit_overlap, fit_power, smooth_maximum
from saih.analyzer.propagation import log_deviation
from saih.domain.interval import Interval
from saih.domain.record import STEP_PHASES, Phase
from saih.domain.trend import PointSummary

Array = NDArray[np.float64]

LEAST_RUN_NOISE = 0.025
"""Standard deviation of log(phase) that is assumed at least: two runs of one point differ by more than the
steps inside either tell, and few points cannot show by how much."""
RUN_FREEDOM = 4.0
"""How many residuals that counts for."""
_LINE = 2
"""Parameters of a law of two terms, at whose middle a prediction is 1 + 2 / n times as uncertain as a run."""
OVERLAP_TOLERANCE = 0.1
"""Of a step; by more no rule may miss it."""
EXCHANGES = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)
MEETINGS = (*EXCHANGES, Phase.STAGE_WAIT)
"""Phases that only several ranks have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``step = factor x max(work, production of input)``, ``work = additive phases + exposed exchange``.

    The maximum is smooth. Where the exchange is hidden (``overlap``), its exposed part follows from all of it
    and the backward pass; where input is produced ahead (``num_loaders``), nobody waits while work is longer.
    """

    overlap: Overlap | None
    power: float
    """Exponent of the smooth maximum of work and production."""
    num_loaders: int
    """Batches that are produced at the same time, as measured; 0 where the wait has a law of its own."""
    factor: float
    """Geometric mean of measured step / composed step: medians of phases do not sum to that of the step."""
    factor_deviation: float
    num_points: int
    run_variance: float = 0.0
    """Of log(step) from run to run, which all phases share; the residuals of the laws tell it."""
    run_freedom: float = np.inf

    @property
    def hidden(self) -> frozenset[Phase]:
        """Additive phases that follow from others."""
        exchange = {Phase.COMMUNICATION} if self.overlap is not None else set()
        return frozenset(exchange | ({Phase.INPUT_WAIT} if self.num_loaders else set()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What competes for a step at some places; None for what takes no part."""

    compute: Prediction
    exchange: Prediction | None
    """Exposed."""
    produce: Prediction | None
    """Input for one step, hidden or not."""


def find_rule(
    points: Sequence[PointSummary], exchanging: Sequence[PointSummary], phases: Collection[Phase]
) -> Rule:
    """The rule that these points follow; ``phases`` are those that matter and have laws."""
    overlap = _overlap(exchanging) if {Phase.COMMUNICATION_TOTAL, Phase.BACKWARD} <= set(phases) else None
    num_loaders = _count_loaders(points) if Phase.INPUT_PRODUCE in phases else 0
    summed = [
        phase for phase in STEP_PHASES if phase in phases and not (num_loaders and phase is Phase.INPUT_WAIT)
    ]
    work = np.sum([medians(points, phase) for phase in summed], axis=0) + np.zeros(len(points))
    ahead = medians(points, Phase.INPUT_PRODUCE) / num_loaders if num_loaders else 0 * work
    steps = step_medians(points)
    power = fit_power(work, ahead, steps) if num_loaders else OVERLAP_POWER
    gaps = np.log(steps / smooth_maximum(work, ahead, power))
    return Rule(
        overlap=overlap,
        power=power,
        num_loaders=num_loaders,
        factor=float(np.exp(gaps.mean())),
        factor_deviation=float(gaps.std(ddof=1)),
        num_points=len(points),
    )


def parts_of(rule: Rule, foreseen: Mapping[Phase, Prediction]) -> Parts:
    """Compute, exposed exchange and production of input, from predictions of phases that have laws."""
    own = [
        foreseen[phase]
        for phase in STEP_PHASES
        if phase in foreseen and phase not in rule.hidden and phase is not Phase.COMMUNICATION
    ]
    exchange = foreseen.get(Phase.COMMUNICATION)
    if rule.overlap is not None:
        exchange = _exposed(rule.overlap, foreseen[Phase.COMMUNICATION_TOTAL], foreseen[Phase.BACKWARD])
    produce = None
    if rule.num_loaders:
        one = foreseen[Phase.INPUT_PRODUCE]
        produce = replace(one, log_value=one.log_value - np.log(rule.num_loaders))
    return Parts(compute=sum_of(own) if own else _nothing(foreseen), exchange=exchange, produce=produce)


def recombine(rule: Rule, parts: Parts) -> Prediction:
    """The step that these parts make."""
    work = sum_of([parts.compute] + ([parts.exchange] if parts.exchange is not None else []))
    total, variance, freedom = np.exp(work.log_value), work.log_deviation**2, work.freedom
    if parts.produce is not None:
        longer = smooth_maximum(total, np.exp(parts.produce.log_value), rule.power)
        weight = (total / longer) ** rule.power
        variance = weight**2 * variance + (1 - weight) ** 2 * parts.produce.log_deviation**2
        total, freedom = longer, min(freedom, parts.produce.freedom)
    variance = variance + rule.factor_deviation**2 / rule.num_points
    least = rule.run_variance * (1 + _LINE / rule.num_points)
    return Prediction(
        log_value=np.log(total * rule.factor),
        log_deviation=np.sqrt(np.maximum(variance, least)),
        freedom=min(freedom, rule.run_freedom),
    )


def with_runs(rule: Rule, residuals: Array) -> Rule:
    """The rule that knows how far work was from its laws, log(measured / fitted), at each point.

    Runs differ as wholes by more than their steps tell, so that the phases of a point err together. Few
    residuals are pooled with what is assumed at least.
    """
    freedom = RUN_FREEDOM + max(len(residuals) - _LINE, 0)
    squares = RUN_FREEDOM * LEAST_RUN_NOISE**2 + float(residuals @ residuals)
    return replace(rule, run_variance=squares / freedom, run_freedom=freedom)


def sum_of(parts: Sequence[Prediction]) -> Prediction:
    """The sum of parts of one step at the same places.

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


def medians(points: Sequence[PointSummary], phase: Phase) -> Array:
    """Of a phase [ns]; 0 at a point that does not have it."""
    found = [point.phases_ns.get(phase) for point in points]
    return np.array([one.value if one is not None else 0.0 for one in found])


def step_medians(points: Sequence[PointSummary]) -> Array:
    """Of whole steps [ns]."""
    return np.array([point.step_ns.value for point in points])


def _nothing(foreseen: Mapping[Phase, Prediction]) -> Prediction:
    one = next(iter(foreseen.values()))
    return replace(
        one, log_value=np.full_like(one.log_value, -np.inf), log_deviation=np.zeros_like(one.log_value)
    )


def _exposed(overlap: Overlap, total: Prediction, backward: Prediction) -> Prediction:
    """Mean over the overlaps that hold; errors of the exchange, and the spread between them."""
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


def _overlap(points: Sequence[PointSummary]) -> Overlap | None:
    """How the exchange is hidden, from the points that exchange anything."""
    if not points or any(phase not in point.phases_ns for point in points for phase in EXCHANGES):
        return None
    noise = pooled_noise([point.phases_ns[Phase.COMMUNICATION_TOTAL] for point in points])
    total, backward, exposed = (
        medians(points, phase) for phase in (Phase.COMMUNICATION_TOTAL, Phase.BACKWARD, Phase.COMMUNICATION)
    )
    return fit_overlap(total, backward, exposed, step_medians(points), max(noise, LEAST_RUN_NOISE))


def _count_loaders(points: Sequence[PointSummary]) -> int:
    """Batches produced at the same time; 0 unless every step is as long as the longer of work and production.

    Where steps wait for input, one of them lasts as long as a batch takes over the number of loaders.
    """
    if any(Phase.INPUT_PRODUCE not in point.phases_ns for point in points):
        return 0
    steps, waits = step_medians(points), medians(points, Phase.INPUT_WAIT)
    produce = medians(points, Phase.INPUT_PRODUCE)
    late = waits > OVERLAP_TOLERANCE * steps
    ratio = float(np.median(produce[late] / steps[late])) if late.any() else 1.0
    count = max(round(ratio), 1)
    longer = np.maximum(steps - waits, produce / count)
    return count if np.all(np.abs(longer / steps - 1) <= OVERLAP_TOLERANCE) else 0
