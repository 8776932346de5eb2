"""What-if: every measured point under a scenario, predicted by replay and by the laws of its trends.

The replay moves each measured step; the analysis is then made anew from the moved steps and the altered
ceilings, so that what limits then, and how sizes beyond grow, follow from the same rules as ever.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saih.analyzer.analysis import analyze
from saih.analyzer.correlation import dependent_median_interval
from saih.analyzer.counted import counted_cost
from saih.analyzer.fit import PREDICTION_LEVEL
from saih.analyzer.ran_execution import cost_of
from saih.analyzer.replay import replayed_ns
from saih.analyzer.what_if_records import (
    Machine,
    Stance,
    altered_ceilings,
    altered_record,
    change_of,
    refusal,
)
from saih.analyzer.what_if_sizes import Grown, another_run, grown
from saih.domain.interval import Interval
from saih.domain.record import Record
from saih.domain.scaling import RankLadder
from saih.domain.trend import Analysis, PointSummary
from saih.domain.what_if import NEEDS_CEILINGS, Alteration, Forecast, Scenario, WhatIf
from workloads import catalog
from workloads.protocol import Workload

EFFECT_ERROR = 0.2
"""Half-width (90 %) of what a replayed change really does over what the replay says: verdicts count as
verified when the step moves by 0.8 to 1.2 of what was predicted."""
_STANCES = (Stance.EXPECTED, Stance.LEAST, Stance.MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An analysis and the records that it was made from."""

    analysis: Analysis
    records: Sequence[Record]
    find_workload: Callable[[str], Workload] = catalog.workload
    rank_ladder: RankLadder | None = None
    """The ranks axis that the analysis was made with."""

    def record(self, point: PointSummary) -> Record:
        """The record of a measured point."""
        return next(record for record in self.records if record.record_id == point.record_id)

    def machine(self, record: Record) -> Machine:
        """What a record ran on, and what its step costs: what its verdict was found with."""
        label = record.point.placement.seats_label
        own = [ceilings for ceilings in self.analysis.ceilings if ceilings.placement_label == label]
        cost = counted_cost(record, cost_of(record, self.find_workload(record.point.workload)))
        return Machine(ceilings=own[0].in_force(record.finished_utc) if own else None, cost=cost)


def what_if(evidence: Evidence, scenario: Scenario) -> WhatIf:
    """Every measured point of the analysis under the scenario; each refusal has its reason."""
    points = evidence.analysis.points
    records = {record.record_id: record for record in evidence.records}
    own = [records[point.record_id] for point in points]
    reasons = [refusal(one, evidence.machine(one), scenario.alterations) for one in own]
    usable = [record for record, reason in zip(own, reasons, strict=True) if not reason]
    then = _altered(evidence, usable, scenario.alterations) if usable else None
    after = {point.record_id: point for point in then.points} if then is not None else {}
    found = []
    for point, record, reason in zip(points, own, reasons, strict=True):
        if reason or point.record_id not in after:
            found.append(_refused(point, reason or "its replayed steps cannot be believed"))
            continue
        ratio = replayed_ratio(evidence, record, scenario.alterations)
        changed = after[point.record_id]
        if scenario.growth is None or then is None:
            found.append(_forecast(point, record, changed, ratio))
        else:
            sizes = grown(then, changed, scenario.growth, evidence.find_workload)
            found += _elsewhere(point, ratio, sizes)
    verified = {
        point.record_id: tuple(one.statement for one in point.verifications)
        for point in points
        if point.verifications
    }
    return WhatIf(
        sweep_name=evidence.analysis.sweep_name,
        scenario=scenario,
        forecasts=tuple(found),
        verified=verified,
    )


def replayed_ratio(evidence: Evidence, record: Record, alterations: Sequence[Alteration]) -> Interval:
    """Step under the alterations over the step as measured, 90 %.

    It holds the spread of the steps, what the time above the ceilings may do, and the error of replays.
    """
    steps = record.result.steps
    if steps is None:
        raise ValueError(f"{record.record_id} has no steps")
    machine = evidence.machine(record)
    measured = np.asarray(steps.slowest_ns, dtype=np.float64)
    # Only of what ceilings explain is the rest unsure.
    is_sure = not {alteration.part for alteration in alterations} & NEEDS_CEILINGS
    ratios = []
    for stance in _STANCES[:1] if is_sure else _STANCES:
        change = change_of(record, steps, machine, alterations, stance)
        moved = replayed_ns(steps, change, record.point.ranks_that_meet)
        ratios.append(float(np.median(np.maximum(moved, 1.0)) / np.median(measured)))
    expected = ratios[0]
    # The error grows with what changes; where the step goes nearly away, the step that is left.
    reach = EFFECT_ERROR * abs(1 - expected)
    return Interval(
        low=max(min(ratios) - reach, min(0.5 * min(ratios), expected)),
        value=expected,
        high=max(ratios) + reach,
        level=PREDICTION_LEVEL,
        count=steps.num_steps,
    )


def _altered(evidence: Evidence, records: Sequence[Record], alterations: Sequence[Alteration]) -> Analysis:
    """The analysis of these records on the altered machine."""
    analysis = evidence.analysis
    return analyze(
        analysis.sweep_name,
        [altered_record(one, evidence.machine(one), alterations, Stance.EXPECTED) for one in records],
        [altered_ceilings(ceilings, alterations) for ceilings in analysis.ceilings],
        (),
        len(records),
        rank_ladder=evidence.rank_ladder,
        find_workload=evidence.find_workload,
    )


def _again(record: Record) -> Interval:
    """The step that another run of this record would take [ns], 90 %."""
    steps = record.result.steps
    if steps is None:
        raise ValueError(f"{record.record_id} has no steps")
    return another_run(dependent_median_interval(steps.slowest_ns, level=PREDICTION_LEVEL))


def times(step_ns: Interval, ratio: Interval) -> Interval:
    """The product of two independent positive numbers: distances to the bounds add in quadrature, in log."""
    down = float(np.hypot(np.log(step_ns.value / step_ns.low), np.log(ratio.value / ratio.low)))
    up = float(np.hypot(np.log(step_ns.high / step_ns.value), np.log(ratio.high / ratio.value)))
    value = step_ns.value * ratio.value
    return replace(step_ns, low=value * float(np.exp(-down)), value=value, high=value * float(np.exp(up)))


def _refused(point: PointSummary, reason: str) -> Forecast:
    return Forecast(
        record_id=point.record_id,
        labels=point.labels,
        at="",
        measured_ns=point.step_ns,
        predicted_ns=None,
        ratio=None,
        limit=point.diagnosis.limit,
        then=None,
        refusal=reason,
    )


def _forecast(point: PointSummary, record: Record, changed: PointSummary, ratio: Interval) -> Forecast:
    return replace(
        _refused(point, ""),
        predicted_ns=times(_again(record), ratio),
        ratio=ratio,
        then=changed.diagnosis.limit,
    )


def _elsewhere(point: PointSummary, ratio: Interval, sizes: Sequence[Grown]) -> Iterator[Forecast]:
    """The point at another size: what the law says there, with what is unsure of the change itself.

    It is not moved by what this one run is off the law: the next run would not be off by the same.
    """
    for size in sizes:
        found = replace(_refused(point, size.refusal), at=size.label, is_extrapolated=size.is_extrapolated)
        if size.step_ns is not None:
            step = times(size.step_ns, ratio.scaled(1 / ratio.value))
            whole = step.scaled(1 / point.step_ns.value)
            found = replace(found, predicted_ns=step, ratio=whole, then=size.then)
        yield found
