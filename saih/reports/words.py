"""Findings in words: every sentence is made from values of the analysis, with its interval and count.

Each is a claim: it names the records and the law that it rests on.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.quantity import (
    NO_BREAK,
    counted,
    duration,
    interval_with_si,
    percent,
    share,
    with_si_short,
)
from saih.domain.record import Environment
from saih.domain.trend import RANKS_AXIS, Analysis, FailedPoint, PointSummary, ScalingLine, Trend
from saih.reports.axis_subject import axis_subject
from saih.reports.label import shortened
from saih.reports.merit import extremes
from saih.reports.techniques import telling_techniques

GREATEST_SPREAD = 4.0
"""An expected share whose interval is wider than this factor tells a reader nothing."""
NAME_WIDTH = 48
_SYSTEM_FACTS = ("gpus", "cpu_model", "cpu_cores", "memory", "torch", "mpi_library")
_NO_FACT = ("", "unknown", "none", "absent", "0")


def point_words(point: PointSummary | FailedPoint) -> str:
    """A point by its rungs, such as ``64^3 x 4, width 16``."""
    known = [shortened(point.labels[axis], NAME_WIDTH) for axis in sorted(point.labels)]
    return ", ".join(known) or f"point {point.point.point_id}"


def system_words(environment: Environment) -> str:
    """The system in one line: its best known facts, then its id."""
    facts = environment.facts
    known = [name for name in _SYSTEM_FACTS if facts.get(name, "") not in _NO_FACT] or sorted(facts)[:3]
    said = [shortened(_fact(name, facts[name]), 60) for name in known[:5]]
    return "; ".join([*said, f"environment {environment.environment_id[:8]}"])


def _fact(name: str, value: str) -> str:
    """Values that name themselves stand alone."""
    return value if name in ("cpu_model", "mpi_library", "gpus") else f"{name.replace('_', ' ')} {value}"


def line_name(trend: Trend, points: Sequence[PointSummary]) -> str:
    """The rungs of the other axes, and the techniques, by which trends over one axis differ."""
    for point in points:
        if trend.record_ids and point.record_id == trend.record_ids[0]:
            others = [label for axis, label in sorted(point.labels.items()) if axis != trend.axis]
            return ", ".join([*others, *telling_techniques(point, points)]) or trend.fixed
    return trend.fixed


def findings(analysis: Analysis) -> tuple[Claim, ...]:
    """At most six sentences that a reader should take away, and two more where ranks were scaled."""
    if not analysis.points:
        return (_nothing_measured(analysis),)
    claims = (
        _range(analysis.points),
        *(_growth(trend, analysis.points) for trend in _longest_trends(analysis.trends)),
        *_scaling(analysis),
        _verdicts(analysis.points),
        _switch(analysis),
        _expectation(analysis.trends),
        _edge(analysis.failed),
    )
    return tuple(claim for claim in claims if claim is not None)


def law_of(trend: Trend) -> str:
    """The law of the step over a trend in words; empty where the points are too few for one."""
    return f"step = {trend.total.text}" if trend.total is not None else ""


def records_of(points: Sequence[PointSummary | FailedPoint]) -> tuple[str, ...]:
    """The records of points, each once, in the order of the points."""
    ids = [
        record_id
        for point in points
        for record_id in (point.record_ids if isinstance(point, FailedPoint) else (point.record_id,))
    ]
    return tuple(dict.fromkeys(ids))


def _merit_words(point: PointSummary) -> str:
    if point.share_of_peak is not None:
        return share(point.share_of_peak)
    return interval_with_si(point.flops_per_s, "FLOP/s")


def _measure(point: PointSummary) -> str:
    return "share of the measured peak" if point.share_of_peak is not None else "rate"


def _nothing_measured(analysis: Analysis) -> Claim:
    reasons = Counter(str(failed.outcome).replace("_", " ") for failed in analysis.failed)
    listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    tail = f": {listed}" if listed else ""
    text = (
        f"No point was measured, so nothing can be said about performance. {analysis.num_planned} planned, "
        f"{len(analysis.failed)} failed{tail}, {len(analysis.dropped)} dropped before the run."
    )
    return Claim(claim_id="nothing-measured", text=text, record_ids=records_of(analysis.failed))


def _range(points: Sequence[PointSummary]) -> Claim | None:
    ends = extremes(points)
    if ends is None:
        return None
    low, high = ends
    if len(points) == 1:
        text = (
            f"The only measured point, {point_words(low)}, has a {_measure(low)} of {_merit_words(low)} "
            f"and a median step of {duration(low.step_ns)} ({_basis(low.step_ns)})."
        )
    else:
        basis = f"{_basis(low.step_ns)} and {high.step_ns.count} steps"
        text = (
            f"The {_measure(low)} goes from {_merit_words(low)} at {point_words(low)} to "
            f"{_merit_words(high)} at {point_words(high)} ({basis})."
        )
    return Claim(claim_id="range-of-share", text=text, record_ids=records_of(ends))


def _basis(interval: Interval) -> str:
    return f"{percent(interval.level)} intervals, n = {interval.count}"


def _longest_trends(trends: Sequence[Trend]) -> list[Trend]:
    """For each axis of the problem the trend of the largest factor, at the largest setting of the others."""
    best: dict[str, Trend] = {}
    for trend in trends:
        if trend.axis == RANKS_AXIS:
            continue
        if len(trend.sizes) > 1 and (
            trend.axis not in best or _span(trend) >= _span(best[trend.axis]) * 0.999
        ):
            best[trend.axis] = trend
    return [best[axis] for axis in sorted(best)]


def _span(trend: Trend) -> float:
    return trend.sizes[-1] / trend.sizes[0] if trend.sizes[0] > 0 else 1.0


def _growth(trend: Trend, points: Sequence[PointSummary]) -> Claim:
    fixed = shortened(line_name(trend, points), NAME_WIDTH)
    text = f"{axis_subject(trend)} grown x{with_si_short(_span(trend), '')} (at {fixed}): {_movement(trend)}"
    claim_id = f"growth/{shortened(trend.axis, NAME_WIDTH)}"
    return Claim(claim_id=claim_id, text=text, record_ids=trend.record_ids, fit=law_of(trend))


def _movement(trend: Trend) -> str:
    first, last = trend.share_of_peak[0], trend.share_of_peak[-1]
    if first is None or last is None:
        return f"the median step goes from {duration(trend.step_ns[0])} to {duration(trend.step_ns[-1])}."
    verb = "rises" if last.low > first.high else "falls" if last.high < first.low else "does not clearly move"
    return f"the share of peak {verb}, {share(first)} to {share(last)}."


def _scaling(analysis: Analysis) -> list[Claim]:
    """The lines of highest and lowest efficiency at their largest rung."""
    lines = [line for line in analysis.scaling if len(line.rungs) > 1]
    if not lines:
        return [_scaled("scaling", line, analysis) for line in analysis.scaling[:1]]
    ordered = sorted(lines, key=lambda line: line.rungs[-1].efficiency.value)
    if len(ordered) == 1:
        return [_scaled("scaling", ordered[0], analysis)]
    return [
        _scaled("scaling-best", ordered[-1], analysis),
        _scaled("scaling-worst", ordered[0], analysis),
    ]


def _scaled(claim_id: str, line: ScalingLine, analysis: Analysis) -> Claim:
    text = f"{line_words(line, analysis)}: {line.findings[0]}{_rising(line)}"
    record_ids = tuple(rung.record_id for rung in line.rungs)
    trend = next((trend for trend in analysis.trends if trend.record_ids == record_ids), None)
    return Claim(
        claim_id=claim_id, text=text, record_ids=record_ids, fit=law_of(trend) if trend is not None else ""
    )


def _rising(line: ScalingLine) -> str:
    return f" What rises most: {line.rising}." if line.rising and len(line.rungs) > 1 else ""


def line_words(line: ScalingLine, analysis: Analysis) -> str:
    """The rungs of the other axes at which a scaling line runs, such as ``64^3 x 4, width 16``."""
    first = next((point for point in analysis.points if point.record_id == line.rungs[0].record_id), None)
    known = first.labels if first is not None else {}
    others = [label for axis, label in sorted(known.items()) if axis != RANKS_AXIS]
    return shortened(", ".join(others) or line.setting, 2 * NAME_WIDTH)


def _verdicts(points: Sequence[PointSummary]) -> Claim:
    counts = Counter(point.diagnosis.limit for point in points).most_common()
    listed = ", ".join(f"{limit} at {count}" for limit, count in counts)
    text = f"What holds the points back: {listed} (of {counted(len(points), 'measured point')})."
    return Claim(claim_id="verdicts", text=text, record_ids=records_of(points))


def _switch(analysis: Analysis) -> Claim | None:
    """Where the verdict changes along the longest trend of an axis."""
    by_record = {point.record_id: point for point in analysis.points}
    for trend in _longest_trends(analysis.trends):
        line = [by_record[record_id] for record_id in trend.record_ids if record_id in by_record]
        for before, after in pairwise(line):
            if before.diagnosis.limit is not after.diagnosis.limit:
                text = (
                    f"Along the {shortened(trend.axis, NAME_WIDTH)} axis the verdict turns from "
                    f"{before.diagnosis.limit} to {after.diagnosis.limit} between {point_words(before)} "
                    f"and {point_words(after)}."
                )
                return Claim(claim_id="switch-of-verdict", text=text, record_ids=records_of((before, after)))
    return None


def _expectation(trends: Sequence[Trend]) -> Claim | None:
    """What is expected beyond the measured sizes, where the data carry a number; else that they do not."""
    ends = [(trend, trend.share_curve[-1]) for trend in _longest_trends(trends) if trend.share_curve]
    ends = [(trend, end) for trend, end in ends if end.is_extrapolated]
    if not ends:
        return None
    claim_id = "expectation"
    for trend, end in ends:
        if end.interval.high <= min(1.0, GREATEST_SPREAD * end.interval.low):
            text = (
                f"Extrapolated, not measured: at {end.size / trend.sizes[-1]:.2g} times the largest measured "
                f"{shortened(trend.axis, NAME_WIDTH)} size the share of peak is expected at "
                f"{share(end.interval)} ({percent(end.interval.level)} prediction interval from "
                f"{counted(len(trend.sizes), 'point')})."
            )
            return Claim(claim_id=claim_id, text=text, record_ids=trend.record_ids, fit=law_of(trend))
    text = "Beyond the measured sizes the trends carry no useful number: measure more or larger points."
    record_ids = tuple(dict.fromkeys(record_id for trend, _ in ends for record_id in trend.record_ids))
    return Claim(claim_id=claim_id, text=text, record_ids=record_ids)


def _edge(failed: Sequence[FailedPoint]) -> Claim | None:
    if not failed:
        return None
    first = failed[0]
    outcome = str(first.outcome).replace("_", " ")
    text = (
        f"{counted(len(failed), 'point')} did not complete, such as {point_words(first)} ({outcome}); they "
        "mark the edge of what ran."
    )
    return Claim(claim_id="edge", text=text, record_ids=records_of(failed))


def outcome_words(analysis: Analysis) -> str:
    """How many points were planned and what became of them."""
    parts = [f"{len(analysis.points)}{NO_BREAK}of {analysis.num_planned} planned points measured"]
    if analysis.failed:
        parts.append(f"{len(analysis.failed)} failed")
    missing = analysis.num_planned - len(analysis.points) - len(analysis.failed)
    if missing > 0:
        parts.append(f"{missing} not run yet")
    if analysis.dropped:
        parts.append(f"{len(analysis.dropped)} dropped before the run")
    return ", ".join(parts)
