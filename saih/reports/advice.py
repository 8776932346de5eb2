"""What could move the points that something holds back: a first thing to try, by the verdict."""

from collections import Counter
from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.quantity import counted
from saih.domain.trend import Limit, PointSummary
from saih.reports.words import records_of

_MOST_LIMITS = 3
_TO_TRY = {
    Limit.COMPUTE: "faster arithmetic (lower precision, more or faster processors); not memory or network.",
    Limit.MEMORY: "faster memory, or operations that move fewer bytes; not faster arithmetic.",
    Limit.INTERCONNECT: "a larger batch on each rank, which exchanges less often, or a faster network.",
    Limit.STORAGE: "faster storage, fewer readers of it, or data that stay in the memory of the node.",
    Limit.INPUT: "cheaper decoding, more loader threads, or samples that are stored as they are used.",
    Limit.LAUNCH: "a larger batch on each rank: the time goes into starting many small operations.",
    Limit.IMBALANCE: "equal work on every rank: `saih show POINT` names the rank and phase that come last.",
    Limit.CONTENTION: "processors of its own (`binding: core`, fewer threads, no neighbours), then again.",
    Limit.CEILING: "only a faster machine, a lower precision or less work: this one is used up.",
    Limit.BEYOND: "measure the ceilings again on an idle machine: these points run above them.",
    Limit.MIXED: "nothing alone: several limits share the step. `saih show POINT` tells their shares.",
    Limit.UNEXPLAINED: "no tuning yet: no measured limit accounts for these steps. Measure longer, alone.",
    Limit.UNKNOWN: "measure the ceilings (`saih ceilings`): without them nothing can be told.",
}

_TO_TRY_DIVIDED = {
    Limit.INTERCONNECT: "fewer ranks that share each layer or sample, or faster links between them.",
    Limit.IMBALANCE: "equal work on every rank and stage; more passes under way (`batches`) fill a pipeline. "
    "`saih show POINT` tells which it is.",
}
"""Where ranks divide a model or its samples."""


def advice(points: Sequence[PointSummary]) -> tuple[Claim, ...]:
    """For each of the commonest verdicts what to try; nothing without points."""
    common = Counter(point.diagnosis.limit for point in points).most_common(_MOST_LIMITS)
    return tuple(_tried(limit, points) for limit, _ in common)


def _tried(limit: Limit, points: Sequence[PointSummary]) -> Claim:
    held = [point for point in points if point.diagnosis.limit is limit]
    are_divided = all(point.point.meeting == "division" for point in held)
    what = _TO_TRY_DIVIDED.get(limit, _TO_TRY[limit]) if are_divided else _TO_TRY[limit]
    text = f"{str(limit).capitalize()} ({counted(len(held), 'point')}): {what}"
    return Claim(claim_id=f"to-try/{limit.name.lower()}", text=text, record_ids=records_of(held))
