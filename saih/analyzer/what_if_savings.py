"""What would help: for every point what each part alone would save if it were ideal, or twice as fast."""

import math
from collections.abc import Sequence

from saih.analyzer.what_if import Evidence, replayed_ratio
from saih.analyzer.what_if_records import refusal
from saih.domain.interval import Interval
from saih.domain.record import Record
from saih.domain.trend import PointSummary
from saih.domain.what_if import Alteration, Part, Saving

IDEALS = tuple(
    Alteration(part=part, speed=math.inf)
    for part in (Part.INPUT, Part.INTERCONNECT, Part.IMBALANCE, Part.LAUNCH, Part.UNEXPLAINED)
)
"""Input that is there, an exchange that takes nothing, even ranks, free launches, work at its ceilings."""
DOUBLINGS = tuple(
    Alteration(part=part, speed=2.0) for part in (Part.COMPUTE, Part.MEMORY, Part.INTERCONNECT, Part.INPUT)
)
MOST_POINTS = 200
"""Of more points, so many that are spread evenly: a replay takes about a millisecond."""


def savings(evidence: Evidence) -> tuple[Saving, ...]:
    """The ideal and the doubling that save most at each point, the ideal first; points may have none."""
    points = evidence.analysis.points
    stride = max(1, math.ceil(len(points) / MOST_POINTS))
    records = {record.record_id: record for record in evidence.records}
    return tuple(
        saving
        for point in points[::stride]
        for choices in (IDEALS, DOUBLINGS)
        for saving in _most(evidence, point, records[point.record_id], choices)
    )


def _most(
    evidence: Evidence, point: PointSummary, record: Record, choices: Sequence[Alteration]
) -> list[Saving]:
    machine = evidence.machine(record)
    found = [
        Saving(
            record_id=point.record_id,
            alteration=alteration,
            share=_share(replayed_ratio(evidence, record, (alteration,))),
        )
        for alteration in choices
        if not refusal(record, machine, (alteration,))
    ]
    return [max(found, key=lambda saving: saving.share.value)] if found else []


def _share(ratio: Interval) -> Interval:
    """What is saved of the step."""
    low, value, high = (max(1 - bound, 0.0) for bound in (ratio.high, ratio.value, ratio.low))
    return Interval(low=low, value=value, high=high, level=ratio.level, count=ratio.count)
