"""The step along one axis put together again from laws of its phases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Law, Measured, Prediction, fit_laws, predict
from saih.analyzer.step_rule import (
    EXCHANGES,
    LEAST_RUN_NOISE,
    Parts,
    Rule,
    find_rule,
    medians,
    parts_of,
    pooled_noise,
    recombine,
    step_medians,
    with_runs,
)
from saih.analyzer.terms import GROWTH, Library
from saih.domain.record import ADDITIVE_PHASES, HIDDEN_PHASES, Phase
from saih.domain.trend import PointSummary

Array = NDArray[np.float64]

LEAST_SHARE = 0.005
"""Phases below this share of the step at every point get no law; the scale factor covers them."""
LEAST_VALUE = 0.0005
"""A phase of no duration at some point is fitted as this share of that point's step."""


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
    """Laws of the phases that matter, and the rule by which they make a step."""

    laws: Mapping[Phase, Law]
    """Of the additive phases that take part."""
    hidden: Mapping[Phase, Law]
    """Of those that overlap others, or follow from others; shown, not added."""
    rule: Rule

    @property
    def produce(self) -> Law | None:
        """Of the production of input, where it is ahead of the steps."""
        return self.hidden[Phase.INPUT_PRODUCE] if self.rule.num_loaders else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points along an axis, whose phases are to get laws."""

    points: Sequence[PointSummary]
    sizes: Sequence[float]
    family: Family = PROBLEM_GROWS


def compose(
    points: Sequence[PointSummary], sizes: Sequence[float], family: Family = PROBLEM_GROWS
) -> Composition | None:
    """``compose_all`` for one line."""
    return compose_all([Line(points=points, sizes=sizes, family=family)])[0]


def compose_all(lines: Sequence[Line]) -> list[Composition | None]:
    """Laws of every phase that matters over the points of each line, fitted together.

    None for fewer than two distinct sizes, or where an exchange that matters was measured at only one.
    """
    wanted = [
        None if len(set(line.sizes)) < 2 or _is_lone_exchange(line) else _wanted(line) for line in lines
    ]
    laws = iter(fit_laws([one for phases in wanted if phases is not None for one in phases.values()]))
    return [
        None
        if phases is None
        else _composed(line, {phase: law for phase in phases if (law := next(laws)) is not None})
        for line, phases in zip(lines, wanted, strict=True)
    ]


def _composed(line: Line, laws: dict[Phase, Law]) -> Composition:
    points, begins = line.points, line.family.exchange_begins
    exchanging = [point for point, size in zip(points, line.sizes, strict=True) if size >= begins]
    rule = find_rule(points, exchanging, laws)
    if rule.num_loaders:  # nobody waits but where production is longer than work
        laws.pop(Phase.INPUT_WAIT, None)
    shown = {*HIDDEN_PHASES, *rule.hidden}
    summed = {phase: law for phase, law in laws.items() if phase not in shown}
    return Composition(
        laws=summed,
        hidden={phase: law for phase, law in laws.items() if phase in shown},
        rule=with_runs(rule, _residuals(points, line.sizes, summed)),
    )


def _residuals(points: Sequence[PointSummary], sizes: Sequence[float], laws: Mapping[Phase, Law]) -> Array:
    """Log of measured over fitted work at each point; an exchange that has sizes of its own is left out."""
    x = np.asarray(sizes, dtype=np.float64)
    own = [(phase, law) for phase, law in laws.items() if len(law.sizes) == len(x)]
    if not own:
        return np.zeros(0)
    measured = np.sum([medians(points, phase) for phase, _ in own], axis=0)
    return np.asarray(np.log(measured / np.sum([law.members[0].at(x) for _, law in own], axis=0)))


def predict_step(composition: Composition, sizes: Array) -> Prediction:
    """The composed step with the errors of its parts.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    return recombine(composition.rule, predict_parts(composition, sizes))


def predict_parts(composition: Composition, sizes: Array) -> Parts:
    """Compute, exposed exchange and the production of input at these sizes.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    laws = dict(composition.laws)
    if composition.rule.overlap is not None:
        laws[Phase.COMMUNICATION_TOTAL] = composition.hidden[Phase.COMMUNICATION_TOTAL]
    if composition.produce is not None:
        laws[Phase.INPUT_PRODUCE] = composition.produce
    return parts_of(composition.rule, {phase: _predict_reached(law, sizes) for phase, law in laws.items()})


def _predict_reached(law: Law, sizes: Array) -> Prediction:
    """The law; nothing, without error, below its smallest size: there is no exchange on one rank."""
    found = predict(law, np.maximum(sizes, law.sizes[0]))
    reached = sizes >= law.sizes[0] * (1 - 1e-9)
    return replace(
        found,
        log_value=np.where(reached, found.log_value, -np.inf),
        log_deviation=np.where(reached, found.log_deviation, 0.0),
    )


def _is_lone_exchange(line: Line) -> bool:
    begun = [index for index, size in enumerate(line.sizes) if size >= line.family.exchange_begins]
    if len({line.sizes[index] for index in begun}) != 1 or len(begun) == len(line.sizes):
        return False
    own = [line.points[index] for index in begun]
    exposed = [one.phases_ns[Phase.COMMUNICATION].value / one.step_ns.value for one in own]
    return max(exposed) >= LEAST_SHARE


def _wanted(line: Line) -> dict[Phase, Measured]:
    """What the phases that matter are fitted to."""
    found = {phase: _measured(line, phase) for phase in (*ADDITIVE_PHASES, *HIDDEN_PHASES)}
    return {phase: one for phase, one in found.items() if one is not None}


def _measured(line: Line, phase: Phase) -> Measured | None:
    points, sizes, library = line.points, line.sizes, line.family.work
    if any(phase not in point.phases_ns for point in points):
        return None
    if phase in EXCHANGES:
        library = line.family.exchange
        begun = [index for index, size in enumerate(sizes) if size >= line.family.exchange_begins]
        points, sizes = [points[index] for index in begun], [sizes[index] for index in begun]
        if not points:
            return None
    steps, values = step_medians(points), medians(points, phase)
    if np.all(values < LEAST_SHARE * steps):
        return None
    noise = max(pooled_noise([point.phases_ns[phase] for point in points]), LEAST_RUN_NOISE)
    return Measured(sizes=sizes, values=np.maximum(values, LEAST_VALUE * steps), noise=noise, library=library)
