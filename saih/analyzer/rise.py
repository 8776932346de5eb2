"""Which limit takes the time that is lost as ranks grow."""

import math
from collections.abc import Mapping

from saih.domain.interval import Interval
from saih.domain.trend import Limit, PointSummary

LEAST_LOSS = 0.05
"""A loss of less than this share of the smallest rung's rank-time is none worth a name."""
_KNOWN_WITH_CEILINGS = (Limit.COMPUTE, Limit.MEMORY, Limit.LAUNCH, Limit.UNEXPLAINED, Limit.UNKNOWN)


def find_rises(base: PointSummary, largest: PointSummary, efficiency: Interval) -> Mapping[Limit, Interval]:
    """How much more rank-time per sample each limit takes at the largest rung than at the base.

    One sample costs ranks / throughput of rank-time; at efficiency E that is 1 / E times as much as at the
    base. A limit with share s of the step takes s / E of it there and s0 at the base, so its rise is
    s / E - s0, and all rises sum to 1 / E - 1. This is POP's split of lost efficiency, made additive. Where
    ceilings are missing at either end, what they would split stays together as the unknown.
    Bounds of sums and products follow by variance recovery (Donner & Zou, Stat. Methods Med. Res. 21, 2012).
    """
    before, after = base.diagnosis.shares, largest.diagnosis.shares
    if Limit.UNKNOWN in before or Limit.UNKNOWN in after:
        before, after = _merged(before), _merged(after)
    return {limit: _rise(before[limit], after[limit], efficiency) for limit in before if limit in after}


def rising_limit(rises: Mapping[Limit, Interval], efficiency: Interval) -> Limit | None:
    """The limit that rises most; mixed where the next one may rise as much, None where no loss is sure."""
    if 1 / efficiency.high - 1 <= LEAST_LOSS:
        return None
    ranked = sorted(rises, key=lambda limit: -rises[limit].value)
    first, second = rises[ranked[0]], rises[ranked[1]]
    gap = first.value - second.value
    if gap <= math.hypot(first.value - first.low, second.high - second.value):
        return Limit.MIXED
    return ranked[0]


def _merged(shares: Mapping[Limit, Interval]) -> dict[Limit, Interval]:
    """The shares with all that only ceilings tell apart as one."""
    own = [shares[limit] for limit in _KNOWN_WITH_CEILINGS if limit in shares]
    others = {limit: share for limit, share in shares.items() if limit not in _KNOWN_WITH_CEILINGS}
    # Shares sum to 1, so this one is as uncertain as the sum of the others.
    value = sum(share.value for share in own)
    down = math.hypot(*(share.high - share.value for share in others.values()))
    up = math.hypot(*(share.value - share.low for share in others.values()))
    whole = Interval(low=value - down, value=value, high=value + up, level=own[0].level, count=own[0].count)
    return {**others, Limit.UNKNOWN: whole}


def _rise(before: Interval, after: Interval, efficiency: Interval) -> Interval:
    share, inverse = after.value, 1 / efficiency.value
    value = share * inverse - before.value
    down = math.hypot(
        (share - after.low) * inverse, share * (inverse - 1 / efficiency.high), before.high - before.value
    )
    up = math.hypot(
        (after.high - share) * inverse, share * (1 / efficiency.low - inverse), before.value - before.low
    )
    return Interval(
        low=value - down,
        value=value,
        high=value + up,
        level=efficiency.level,
        count=min(before.count, after.count),
    )
