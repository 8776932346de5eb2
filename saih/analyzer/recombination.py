"""The step along one axis put together again from laws of its phases."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import Law, Measured, Prediction, fit_laws, predict_all
from saih.analyzer.step_rule import (
    LEAST_RUN_NOISE,
    MEETINGS,
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
from saih.domain.record import HIDDEN_PHASES, STEP_PHASES, Phase
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
    """``predict_steps`` for one composition."""
    return predict_steps([composition], sizes)[0]


def predict_steps(compositions: Sequence[Composition], sizes: Array) -> list[Prediction]:
    """The composed step of each with the errors of its parts.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    parts = predict_parts(compositions, sizes)
    return [recombine(one.rule, own) for one, own in zip(compositions, parts, strict=True)]


def predict_parts(compositions: Sequence[Composition], sizes: Array) -> list[Parts]:
    """Compute, exposed exchange and the production of input at these sizes, of each composition.

    Raises:
        ValueError: beyond the greatest factor that ``fit.predict`` allows.
    """
    wanted = [_decisive(composition) for composition in compositions]
    found = iter(_predict_reached([law for laws in wanted for law in laws.values()], sizes))
    return [
        parts_of(composition.rule, {phase: next(found) for phase in laws})
        for composition, laws in zip(compositions, wanted, strict=True)
    ]


def _decisive(composition: Composition) -> dict[Phase, Law]:
    """The laws from which the step follows."""
    laws = dict(composition.laws)
    if composition.rule.overlap is not None:
        laws[Phase.COMMUNICATION_TOTAL] = composition.hidden[Phase.COMMUNICATION_TOTAL]
    if composition.produce is not None:
        laws[Phase.INPUT_PRODUCE] = composition.produce
    return laws


def _predict_reached(laws: Sequence[Law], sizes: Array) -> list[Prediction]:
    """The laws; nothing, without error, below their smallest size: there is no exchange on one rank."""
    groups: dict[float, list[int]] = defaultdict(list)
    for place, law in enumerate(laws):
        groups[float(law.sizes[0])].append(place)
    found: dict[int, Prediction] = {}
    for begin, places in groups.items():
        reached = sizes >= begin * (1 - 1e-9)
        predictions = predict_all([laws[place] for place in places], np.maximum(sizes, begin))
        for place, one in zip(places, predictions, strict=True):
            found[place] = replace(
                one,
                log_value=np.where(reached, one.log_value, -np.inf),
                log_deviation=np.where(reached, one.log_deviation, 0.0),
            )
    return [found[place] for place in range(len(laws))]


def _is_lone_exchange(line: Line) -> bool:
    begun = [index for index, size in enumerate(line.sizes) if size >= line.family.exchange_begins]
    if len({line.sizes[index] for index in begun}) != 1 or len(begun) == len(line.sizes):
        return False
    own = [line.points[index] for index in begun]
    waits = sum(medians(own, phase) for phase in (Phase.COMMUNICATION, Phase.STAGE_WAIT))
    return bool(np.max(waits / step_medians(own)) >= LEAST_SHARE)


def _wanted(line: Line) -> dict[Phase, Measured]:
    """What the phases that matter are fitted to."""
    steps = step_medians(line.points)
    found = {phase: _measured(line, phase, steps) for phase in (*STEP_PHASES, *HIDDEN_PHASES)}
    return {phase: one for phase, one in found.items() if one is not None}


def _measured(line: Line, phase: Phase, all_steps: Array) -> Measured | None:
    """``all_steps`` are the medians of whole steps at every point of the line."""
    known = {
        place: own
        for place, point in enumerate(line.points)
        if (own := point.phases_ns.get(phase)) is not None
    }
    places = list(known)
    if len(places) < len(line.points) and phase is not Phase.STAGE_WAIT:
        return None
    library = line.family.work
    if phase in MEETINGS:
        library = line.family.exchange
        places = [place for place in places if line.sizes[place] >= line.family.exchange_begins]
    if not places:
        return None
    steps, values = all_steps[places], np.array([known[place].value for place in places])
    if (values < LEAST_SHARE * steps).all():
        return None
    noise = max(pooled_noise([known[place] for place in places]), LEAST_RUN_NOISE)
    sizes = [line.sizes[place] for place in places]
    return Measured(sizes=sizes, values=np.maximum(values, LEAST_VALUE * steps), noise=noise, library=library)
