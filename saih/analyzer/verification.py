"""Verdicts held against what switching their causes did to the step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from saih.analyzer.verification_effect import differences_of, effect_of
from saih.analyzer.verification_judgement import (
    GREATEST_P,
    Evidence,
    Ground,
    Part,
    contention_reason,
    judged,
    surprise,
    untested,
)
from saih.analyzer.verification_statistics import ratio_interval, sign_flip_p, slope_interval
from saih.analyzer.verification_words import percent
from saih.domain.interval import Interval
from saih.domain.record import Phase, Record, Steps
from saih.domain.trend import Analysis, PointSummary
from saih.domain.verdict import Limit
from saih.domain.verification import (
    LEAST_EFFECT,
    NEEDS_GRADIENTS,
    Intervention,
    ToggleEffect,
    ToggleRun,
    Trial,
    Verification,
)

Ran = Sequence[tuple[ToggleRun, ToggleEffect]]
"""What was switched, and what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """What tests a verdict."""

    removal: Intervention | None
    """Takes the cause away; None where it is the work itself, and all else is taken away."""
    load: Intervention
    """Adds to it."""


_DEVICE = frozenset({Limit.COMPUTE, Limit.MEMORY, Limit.LAUNCH, Limit.CEILING})
"""Verdicts on work that cannot be taken away: what is left without input and exchange must be it."""
TESTS: Mapping[Limit, Test] = MappingProxyType(
    {
        Limit.INPUT: Test(removal=Intervention.DUMMY_INPUT, load=Intervention.DELAYED_INPUT),
        Limit.STORAGE: Test(removal=Intervention.DUMMY_INPUT, load=Intervention.DELAYED_INPUT),
        Limit.INTERCONNECT: Test(removal=Intervention.NO_EXCHANGE, load=Intervention.THROTTLED_EXCHANGE),
        Limit.COMPUTE: Test(removal=None, load=Intervention.EXTRA_ARITHMETIC),
        Limit.CEILING: Test(removal=None, load=Intervention.EXTRA_ARITHMETIC),
        Limit.MEMORY: Test(removal=None, load=Intervention.EXTRA_TRAFFIC),
        Limit.LAUNCH: Test(removal=None, load=Intervention.EXTRA_LAUNCHES),
        Limit.IMBALANCE: Test(removal=None, load=Intervention.SLOW_RANK),
    }
)
"""Which interventions test which verdict; CPU contention cannot be switched from inside an application."""
_REMOVED = MappingProxyType(
    {
        Intervention.DUMMY_INPUT: frozenset({Limit.INPUT, Limit.STORAGE}),
        Intervention.NO_EXCHANGE: frozenset({Limit.INTERCONNECT, Limit.IMBALANCE}),
    }
)
"""What each removal takes away; the first of each names a surprise."""
_NO_REMOVAL = (
    "what its ranks bring to each other inside a step cannot be left out, since without it there is no "
    "answer: only whether it delays the step is tested, not how much of the step it takes"
)


def with_verifications(
    analysis: Analysis, records: Sequence[Record], trials: Mapping[str, Trial]
) -> Analysis:
    """The analysis with the verdicts of its points put to the test, where ``trials`` has one by record id."""
    if not trials:
        return analysis
    steps = {record.record_id: record.result.steps for record in records if record.record_id in trials}
    points = tuple(
        replace(point, verifications=_verified(point, own, trials[point.record_id]))
        if (own := steps.get(point.record_id)) is not None
        else point
        for point in analysis.points
    )
    return replace(analysis, points=points)


def verify(summary: PointSummary, steps: Steps, trial: Trial) -> tuple[Verification, ...]:
    """The verdict of a point, then every other cause of a tenth of the step, put to the test.

    Causes whose removal saved a tenth of the step beyond what the record charges to them come last.

    Raises:
        ValueError: for windows whose durations are none.
    """
    claims = _claims(summary)
    reason = _why_untestable(summary)
    if reason:
        return tuple(untested(summary.record_id, limit, reason) for limit in claims)
    tried = [(run, effect_of(run, steps, summary.point.ranks_that_meet)) for run in trial.runs]
    ran = [(run, effect) for run, effect in tried if effect is not None]
    ground = Ground(
        record_id=summary.record_id,
        step_ns=summary.step_ns.value,
        sham=_one(ran, Intervention.SHAM),
        contention=contention_reason(trial.contention, is_contended=summary.diagnosis.is_contended),
        is_divided=summary.point.meeting == "division",
    )
    return (*(_tested(limit, ran, ground) for limit in claims), *_surprises(ran, ground, claims))


def _why_untestable(summary: PointSummary) -> str:
    """Why nothing that is switched tells anything here; empty where it does.

    A pipeline of which a stage hardly waits moves as that stage does. Else what is added to one stage hides
    in the waits of others, and what is added to all of them adds up: replaying phases foresees neither.
    """
    waited = summary.phases_ns.get(Phase.STAGE_WAIT)
    if waited is None:
        if summary.point.placement.pipeline_parallel == 1:
            return ""
        return "its record does not tell how long its stages wait for each other; measure it again"
    share = waited.value / summary.step_ns.value
    if share < LEAST_EFFECT:
        return ""
    return (
        f"even the stage that waits least waits {percent(share)} of the step for others, where what is "
        "switched hides or adds up, so that no step can be predicted; with more passes under way (`batches`) "
        "it could"
    )


def _verified(point: PointSummary, steps: Steps, trial: Trial) -> tuple[Verification, ...]:
    try:
        return verify(point, steps, trial)
    except ValueError as error:
        return (untested(point.record_id, point.diagnosis.limit, f"the windows cannot be used: {error}"),)


def _claims(summary: PointSummary) -> tuple[Limit, ...]:
    diagnosis = summary.diagnosis
    large = [limit for limit, share in diagnosis.shares.items() if share.value >= LEAST_EFFECT]
    large.sort(key=lambda limit: -diagnosis.shares[limit].value)
    return tuple(dict.fromkeys((diagnosis.limit, *(limit for limit in large if limit in TESTS))))


def _tested(limit: Limit, ran: Ran, ground: Ground) -> Verification:
    test = TESTS.get(limit)
    if test is None:
        return untested(ground.record_id, limit, _why_untested(limit))
    loads = [(run, effect) for run, effect in ran if run.toggle.intervention is test.load]
    doses = tuple(effect for _, effect in loads)
    removal = None if test.removal is None else _one(ran, test.removal)
    slope = _slope(loads)
    main = removal or (doses[-1] if doses else None)
    parts = [
        *([_removal_part(removal)] if removal is not None and removal.predicted_ns.value else []),
        *([slope] if slope is not None else []),
        *_rest_parts(limit, ran),
    ]
    if main is None or not parts:
        return untested(ground.record_id, limit, "nothing was switched that tests it")
    lacks = ground.is_divided and test.removal in NEEDS_GRADIENTS
    evidence = Evidence(
        limit=limit,
        main=main,
        parts=tuple(parts),
        doses=doses,
        slope=None if slope is None else slope.ratio,
        lacks=_NO_REMOVAL if lacks else "",
    )
    return judged(evidence, ground)


def _removal_part(effect: ToggleEffect) -> Part:
    return Part(
        name="ratio",
        ratio=ratio_interval(effect.measured_ns, effect.predicted_ns),
        p_value=effect.p_value,
    )


def _slope(loads: Ran) -> Part | None:
    """Measured over predicted effect of all pairs of all doses."""
    measured: list[float] = []
    predicted: list[float] = []
    for run, effect in loads:
        own = differences_of(run)
        measured += own
        predicted += [effect.predicted_ns.value] * len(own)
    if len(measured) < 3 or not any(predicted):
        return None
    weighted = [one * other for one, other in zip(measured, predicted, strict=True)]
    return Part(
        name=f"slope over {len(loads)} doses",
        ratio=slope_interval(measured, predicted),
        p_value=sign_flip_p(weighted),
    )


def _rest_parts(limit: Limit, ran: Ran) -> list[Part]:
    """What is left without input and exchange (or input alone, where none exchange), over what should be."""
    rest = _one(ran, Intervention.COMPUTE_ONLY) or _one(ran, Intervention.DUMMY_INPUT)
    if limit not in _DEVICE or rest is None:
        return []
    left = ratio_interval(_added(rest.measured_ns, rest.off_ns), _added(rest.predicted_ns, rest.off_ns))
    gone = "input and exchange" if rest.toggle.intervention is Intervention.COMPUTE_ONLY else "input"
    return [Part(name=f"rest without {gone}", ratio=left, p_value=None)]


def _added(interval: Interval, number: float) -> Interval:
    return replace(
        interval, low=interval.low + number, value=interval.value + number, high=interval.high + number
    )


def _why_untested(limit: Limit) -> str:
    if limit is Limit.CONTENTION:
        return (
            "what else uses the processors cannot be switched from inside the application; measure again "
            "on quiet nodes"
        )
    return f"the verdict {limit.value!r} names no cause that could be switched"


def _surprises(ran: Ran, ground: Ground, claims: Sequence[Limit]) -> tuple[Verification, ...]:
    """Causes that the record does not charge, but whose removal saved a tenth of the step or more."""
    found = []
    for intervention, limits in _REMOVED.items():
        effect = _one(ran, intervention)
        if effect is None or limits & set(claims) or ground.contention or not ground.is_quiet:
            continue
        beyond = effect.predicted_ns.low - effect.measured_ns.high
        if beyond >= LEAST_EFFECT * effect.off_ns and effect.p_value <= GREATEST_P:
            limit = Limit.INPUT if Limit.INPUT in limits else Limit.INTERCONNECT
            found.append(surprise(_saving(limit, effect), ground))
    return tuple(found)


def _saving(limit: Limit, effect: ToggleEffect) -> Evidence:
    """The share of the step that was left, over the share that should be left: nothing may be predicted."""
    left = ratio_interval(
        _added(effect.measured_ns, effect.off_ns), _added(effect.predicted_ns, effect.off_ns)
    )
    part = Part(name="what was left over what should be", ratio=left, p_value=effect.p_value)
    return Evidence(limit=limit, main=effect, parts=(part,), doses=(), slope=None)


def _one(ran: Ran, intervention: Intervention) -> ToggleEffect | None:
    return next((effect for _, effect in ran if effect.toggle.intervention is intervention), None)
