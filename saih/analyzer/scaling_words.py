"""What a scaling line shows, in sentences with numbers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from saih.analyzer.rank_line import RankLine, num_ranks
from saih.analyzer.rise import LEAST_LOSS
from saih.domain.interval import Interval
from saih.domain.quantity import counted, factor, in_seconds, percent, share
from saih.domain.trend import FailedPoint, Limit, ScalingRung

_NAMES = {"strong": "Strong scaling", "weak": "Weak scaling", "throughput": "Throughput of replicas"}
_NAMED = {Limit.MIXED: "more than one limit", Limit.UNKNOWN: "work that no ceiling splits"}
_LEAST_IMBALANCE = 1.05
"""Slowest rank over mean from which on the imbalance is worth a sentence."""


def sentences(
    line: RankLine,
    rungs: Sequence[ScalingRung],
    rises: Mapping[Limit, Interval],
    rising: Limit | None,
) -> tuple[str, ...]:
    """The findings of a line, the most general one first."""
    if len(rungs) == 1:
        only = counted(rungs[0].num_ranks, "rank")
        lonely = f"Only {only} measured on this line: nothing to hold the step against."
        return (lonely, *_base(line, rungs), *_layout(line))
    return (
        _headline(line, rungs),
        *_base(line, rungs),
        *_turn(line, rungs),
        _loss(rungs, rises, rising),
        *_exchange(rungs),
        *_balance(line, rungs),
        *_peaks(rungs),
        *_layout(line),
    )


def unmeasured_words(line: RankLine) -> tuple[str, ...]:
    """The rungs without a measurement, those of one reason together, by growing number of ranks."""
    reasons = {
        num_ranks(member): (
            f"{str(member.outcome).replace('_', ' ')} after {counted(member.num_attempts, 'attempt')}: "
            if isinstance(member, FailedPoint)
            else "dropped before the run: "
        )
        + (member.reason or "no reason recorded")
        for member in line.unmeasured
    }
    reasons |= dict.fromkeys(line.absent, "no record yet")
    groups: dict[str, list[int]] = defaultdict(list)
    for ranks in sorted(reasons):
        groups[reasons[ranks]].append(ranks)
    return tuple(f"{_listed(group)}: {reason}" for reason, group in groups.items())


def _listed(ranks: Sequence[int]) -> str:
    return f"{', '.join(map(str, ranks))} rank{'' if list(ranks) == [1] else 's'}"


def _headline(line: RankLine, rungs: Sequence[ScalingRung]) -> str:
    base, last = rungs[0], rungs[-1]
    ideal = f"{last.num_ranks / base.num_ranks:.3g}x"
    return (
        f"{_NAMES[line.scaling]} from {counted(base.num_ranks, 'rank')} to {last.num_ranks}: speed-up "
        f"{factor(last.speedup)} of {ideal}, efficiency {share(last.efficiency)} "
        f"({percent(last.efficiency.level)} intervals, n = {last.efficiency.count})."
    )


def _base(line: RankLine, rungs: Sequence[ScalingRung]) -> list[str]:
    """That smaller rungs are missing makes all efficiencies look better than they are."""
    base = rungs[0].num_ranks
    missing = sorted({*(num_ranks(member) for member in line.unmeasured), *line.absent})
    below = [str(ranks) for ranks in missing if ranks < base]
    if not below:
        return []
    return [
        (
            f"Everything is relative to {counted(base, 'rank')}, because {', '.join(below)} was not "
            "measured: what was lost up to there does not show."
        )
    ]


def _turn(line: RankLine, rungs: Sequence[ScalingRung]) -> list[str]:
    """Where more ranks stop to bring anything, beyond both intervals."""
    best = max(rungs, key=lambda rung: rung.samples_per_s.value)
    worse = [
        rung
        for rung in rungs
        if rung.num_ranks > best.num_ranks and rung.samples_per_s.high < best.samples_per_s.low
    ]
    if not worse:
        return []
    return [
        (
            f"More ranks than {best.num_ranks} bring nothing: throughput falls to "
            f"{percent(worse[0].samples_per_s.value / best.samples_per_s.value)} of that at "
            f"{worse[0].num_ranks}."
        )
    ]


def _loss(rungs: Sequence[ScalingRung], rises: Mapping[Limit, Interval], rising: Limit | None) -> str:
    last = rungs[-1]
    whole = 1 / last.efficiency.value - 1
    if rising is None:
        return (
            f"No loss of more than {percent(LEAST_LOSS)} is sure at {last.num_ranks} ranks: a sample costs "
            f"{_more(whole)} rank-time than at {rungs[0].num_ranks}."
        )
    ranked = sorted(rises, key=lambda limit: -rises[limit].value)[:2]
    parts = " and ".join(f"{_NAMED.get(limit, limit)} {_signed_interval(rises[limit])}" for limit in ranked)
    name = _NAMED.get(rising, str(rising))
    return (
        f"What rises most is {name}: a sample costs {_more(whole)} rank-time at {last.num_ranks} ranks, "
        f"of which {parts}."
    )


def _exchange(rungs: Sequence[ScalingRung]) -> list[str]:
    first, last = rungs[0], rungs[-1]
    if all(rung.exposed_ns.value <= 0 for rung in rungs):
        return []
    text = (
        f"Exposed communication goes from {percent(first.exposed_share.value)} to "
        f"{share(last.exposed_share)} of the step"
    )
    total = last.communication_ns
    if total is None or total.value <= 0:
        return [f"{text}."]
    hidden = max(1 - last.exposed_ns.value / total.value, 0.0)
    if hidden == 0:  # all of it was told by the step itself, which does not see what runs beside it
        return [f"{text}."]
    return [
        (
            f"{text}; all communication takes {in_seconds(total.value)} a step at {last.num_ranks} ranks, of "
            f"which overlap hides {percent(hidden)}."
        )
    ]


def _balance(line: RankLine, rungs: Sequence[ScalingRung]) -> list[str]:
    """The rung of the greatest imbalance, where it matters."""
    known = [(rung.balance.imbalance, rung.num_ranks, rung.balance) for rung in rungs if rung.balance]
    imbalance, ranks, balance = max(known, key=lambda item: item[0], default=(1.0, 1, None))
    if balance is None or imbalance < _LEAST_IMBALANCE:
        return []
    text = (
        f"At {ranks} ranks the slowest rank (number {balance.slowest_rank}) works {percent(imbalance - 1)} "
        f"longer than the mean of {balance.num_ranks}"
    )
    waiting = in_seconds((imbalance - 1) * balance.mean_work_ns)
    if not balance.is_awaited:
        return [f"{text}."]
    who = "the others that share its model" if line.exchange == "none" else "in the exchange the others"
    return [f"{text}; {who} wait for it, {waiting} on average."]


def _peaks(rungs: Sequence[ScalingRung]) -> list[str]:
    without = [rung.num_ranks for rung in rungs if rung.share_of_peak is None]
    if not without:
        return []
    where = "any of these placements" if len(without) == len(rungs) else _listed(without)
    return [f"No ceiling was measured at {where}, so no share of peak is known there."]


def _layout(line: RankLine) -> list[str]:
    """Placements that do not fill nodes in one way, or that leave the first node."""
    placements = [point.point.placement for point in line.measured]
    several = sorted({place.ranks_per_node for place in placements if place.nodes > 1})
    single = [place.ranks_per_node for place in placements if place.nodes == 1]
    if len(several) > 1 or (several and single and max(single) > several[0]):
        words = ", ".join(f"{place.nodes} x {place.ranks_per_node}" for place in placements)
        return [
            (
                f"The placements differ in more than their number of ranks (nodes x ranks: {words}), so that "
                "a change may come from the sharing of nodes."
            )
        ]
    if several and single:
        return [
            (
                f"Up to {max(place.num_ranks for place in placements if place.nodes == 1)} ranks share one "
                "node; from there on several nodes take part, which may be another regime."
            )
        ]
    return []


def _more(value: float) -> str:
    return f"{percent(abs(value))} {'more' if value >= 0 else 'less'}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{percent(abs(value))}"


def _signed_interval(rise: Interval) -> str:
    return f"{_signed(rise.value)} [{100 * rise.low:.3g}, {100 * rise.high:.3g}]"
