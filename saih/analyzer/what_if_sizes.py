"""A point at another size along an axis: the laws of its trend, from where it was measured to where asked."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saih.analyzer.division import grows_of, refusal
from saih.analyzer.fit import LEAST_NOISE, PREDICTION_LEVEL, intervals, predict
from saih.analyzer.propagation import log_deviation, normal_quantile
from saih.analyzer.rank_trends import FEWEST_THAT_EXCHANGE
from saih.analyzer.recombination import PROBLEM_GROWS, Composition, Family, compose, predict_step
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK
from saih.domain.interval import Interval
from saih.domain.quantity import in_seconds, with_si
from saih.domain.record import Phase
from saih.domain.trend import RANKS_AXIS, Analysis, Limit, PointSummary, Trend
from saih.domain.what_if import GREATEST_FACTOR, Growth
from workloads import catalog
from workloads.protocol import Workload

FindWorkload = Callable[[str], Workload]

_POWER = re.compile(r"([0-9]{1,6})(?:\^([1-9]))?", re.ASCII)
_WIDEST = 10.0
"""Upper over lower bound of an interval that still says something."""
_SAME = 1e-6
"""Sizes that differ by less are one."""
_SUPPLIES = {
    Phase.COMMUNICATION: Limit.INTERCONNECT,
    Phase.INPUT_WAIT: Limit.INPUT,
    Phase.STAGE_WAIT: Limit.IMBALANCE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """A point at another size."""

    label: str
    step_ns: Interval | None = None
    """Of a new run there, 90 %; None where ``refusal`` says why not."""
    then: Limit | None = None
    refusal: str = ""
    is_extrapolated: bool = False


def grown(
    analysis: Analysis, point: PointSummary, growth: Growth, find_workload: FindWorkload = catalog.workload
) -> tuple[Grown, ...]:
    """The point at the size that is asked for, once for each trend; nothing where the rung is another."""
    axis = growth.axis
    trends = [one for one in analysis.trends if one.axis == axis and point.record_id in one.record_ids]
    if growth.start and not _begins(point.labels.get(axis, ""), growth.start):
        return ()
    if not trends:
        reason = f"{axis} was not swept here; measure it (`--axis {axis}`), no law is known without"
        return (Grown(label=str(growth), refusal=reason),)
    return tuple(_along(analysis, trend, point, growth, find_workload) for trend in trends)


def unknown_start(analysis: Analysis, growth: Growth) -> str:
    """What rungs there are, where none begins as asked; empty where one does."""
    labels = sorted({point.labels.get(growth.axis, "") for point in analysis.points} - {""})
    if not growth.start or any(_begins(label, growth.start) for label in labels):
        return ""
    shown = "; ".join(labels[:8]) or "none"
    return f"no measured point has a {growth.axis} rung that begins with {growth.start!r}; there are: {shown}"


def _along(
    analysis: Analysis, trend: Trend, point: PointSummary, growth: Growth, find_workload: FindWorkload
) -> Grown:
    size = trend.sizes[trend.record_ids.index(point.record_id)]
    target = _target(trend, growth, size)
    if target is None:
        return Grown(label=str(growth), refusal=_unknown_target(trend, growth))
    label = f"{trend.axis} {growth.target or with_si(target, '')}"
    reason = _out_of_range(trend, target) or (
        _beyond_ranks(analysis, trend, point, target, find_workload) if trend.axis == RANKS_AXIS else ""
    )
    if reason:
        return Grown(label=label, refusal=reason)
    group = _group(analysis, trend)
    for known, other in zip(trend.sizes, group, strict=True):
        if abs(known / target - 1) < _SAME:  # measured there, too: no law is needed
            again = another_run(other.step_ns)
            return Grown(label=label, step_ns=again, then=other.diagnosis.limit)
    composition = compose(group, trend.sizes, _family(analysis, trend))
    if composition is None:
        return Grown(label=label, refusal=f"too few sizes along {trend.axis} were measured for a law")
    there = intervals(predict_step(composition, np.array([target])), len(group))[0]
    if there.high > _WIDEST * there.low:
        return Grown(label=label, refusal=_unsure(trend, there))
    return Grown(
        label=label,
        step_ns=there,
        then=_limit(composition, group, trend, target),
        is_extrapolated=target > max(trend.sizes) * (1 + _SAME),
    )


def another_run(step_ns: Interval) -> Interval:
    """The step that another run of a point would take, 90 %: runs differ by more than their steps tell."""
    reach = normal_quantile(PREDICTION_LEVEL) * float(np.hypot(log_deviation(step_ns), LEAST_NOISE))
    low, high = (step_ns.value * float(np.exp(side * reach)) for side in (-1, 1))
    low, high = min(low, step_ns.low), max(high, step_ns.high)
    return replace(step_ns, low=low, high=high, level=PREDICTION_LEVEL)


def _unsure(trend: Trend, step_ns: Interval) -> str:
    count = len(set(trend.sizes))
    return (
        f"{count} sizes along {trend.axis} do not carry a number there (90 %: {in_seconds(step_ns.low)} to "
        f"{in_seconds(step_ns.high)}); measure more sizes of {trend.axis}, the asked one if it fits"
    )


def _target(trend: Trend, growth: Growth, size: float) -> float | None:
    """The size asked for: times this one, that of a rung of the trend, or by rungs that are powers."""
    if growth.factor is not None:
        return size * growth.factor
    for label, known in zip(trend.labels, trend.sizes, strict=True):
        if _begins(label, growth.target):
            return known
    here, there = _POWER.fullmatch(growth.start), _POWER.fullmatch(growth.target)
    if here is None or there is None or here[2] != there[2]:
        return None
    # Only sizes of data sets and ranks grow as such numbers do.
    if trend.axis != RANKS_AXIS and (here[2] is None or trend.axis != "data"):
        return None
    return size * (int(there[1]) / int(here[1])) ** int(here[2] or 1)


def _unknown_target(trend: Trend, growth: Growth) -> str:
    rungs = "; ".join(dict.fromkeys(trend.labels))
    return f"the size of {growth.axis} {growth.target!r} is unknown; name a rung ({rungs}) or say a factor"


def _begins(label: str, start: str) -> bool:
    """Whether a label begins with these words; ``1`` does not begin ``16 ranks``."""
    return label.startswith(start) and not label[len(start) : len(start) + 1].isalnum()


def _group(analysis: Analysis, trend: Trend) -> list[PointSummary]:
    points = {one.record_id: one for one in analysis.points}
    return [points[record_id] for record_id in trend.record_ids]


def _out_of_range(trend: Trend, target: float) -> str:
    low, high = min(trend.sizes), max(trend.sizes)
    if target > high * GREATEST_FACTOR * (1 + _SAME):
        return (
            f"{with_si(target, '')} is more than {GREATEST_FACTOR:g} times the largest measured "
            f"{trend.size_label}, {with_si(high, '')}; measure a larger point"
        )
    if target < low * (1 - _SAME):
        return (
            f"{with_si(target, '')} is below the smallest measured {trend.size_label}, "
            f"{with_si(low, '')}; laws hold towards larger sizes only"
        )
    return ""


def _beyond_ranks(
    analysis: Analysis, trend: Trend, point: PointSummary, target: float, find_workload: FindWorkload
) -> str:
    """Why there cannot be so many ranks: each is whole, and has a part of the model and of the batch."""
    if abs(target - round(target)) > _SAME * target:
        return f"{target:g} ranks cannot be; ask for a whole number"
    group = _group(analysis, trend)
    reason = refusal(group, point.point, round(target), find_workload(point.point.workload))
    if reason or grows_of(group) != "data":
        return reason
    samples = point.point.batch_per_rank * point.point.placement.num_ranks
    if _scaling(analysis, trend) == "strong" and target > samples:
        return f"every rank has one sample at {samples} ranks; strong scaling ends there"
    return ""


def _scaling(analysis: Analysis, trend: Trend) -> str:
    known = set(trend.record_ids)
    lines = [line for line in analysis.scaling if known == {rung.record_id for rung in line.rungs}]
    return next((line.scaling for line in lines if line.scaling in trend.fixed), "weak")


def _family(analysis: Analysis, trend: Trend) -> Family:
    """The laws that trends along this axis choose from, as ``saih.analyzer.rank_trends`` has them."""
    if trend.axis != RANKS_AXIS:
        return PROBLEM_GROWS
    work = SHARED_WORK if _scaling(analysis, trend) == "strong" else OWN_WORK
    return Family(whole=work, work=work, exchange=EXCHANGE, exchange_begins=FEWEST_THAT_EXCHANGE)


def _limit(
    composition: Composition, group: Sequence[PointSummary], trend: Trend, target: float
) -> Limit | None:
    """The verdict of the nearest measured point, unless another part of the step has become the longest."""
    nearest = min(
        range(len(group)), key=lambda index: abs(math.log(trend.sizes[index] / target)) if target > 0 else 0.0
    )
    verdict = group[nearest].diagnosis.limit
    if target <= max(trend.sizes) * (1 + _SAME):
        return verdict
    sizes = np.array([trend.sizes[nearest], target])
    before, after = (_longest(composition, float(size)) for size in sizes)
    return verdict if before is after else after


def _longest(composition: Composition, size: float) -> Limit | None:
    """Interconnect or input where the laws make that the longest part of the step; None for own work."""
    parts: dict[Limit | None, float] = {}
    for phase, law in composition.laws.items():
        reached = np.array([max(size, float(law.sizes[0]))])
        value = (
            float(np.exp(predict(law, reached).log_value[0])) if size >= law.sizes[0] * (1 - 1e-9) else 0.0
        )
        name = _SUPPLIES.get(phase)
        parts[name] = parts.get(name, 0.0) + value
    if composition.produce is not None:
        made = float(np.exp(predict(composition.produce, np.array([size])).log_value[0]))
        parts[Limit.INPUT] = made - sum(parts.values())
    return max(parts, key=lambda name: parts[name], default=None)
