"""Why a plan is what it is, for people; arithmetic only."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from workloads.galaxy.forecasting.forecast import Forecast
from workloads.galaxy.memory import shared_rows_bytes, whole_bytes
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.shared_plans import Found, any_shared, best_shared
from workloads.galaxy.planning.subsets import MOST_WHOLE
from workloads.galaxy.planning.whole_plans import best_local
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile
from workloads.transformer.split import Span

_MS, _MB, _MBIT = 1e6, 1e6, 8e-6
_WORTH_SAYING = 1.02


class Limit(StrEnum):
    """What holds a plan back most."""

    COMPUTE = "compute"
    LINK = "link"
    DELAY = "delay"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A plan's reasons."""

    limit: Limit
    gains: Mapping[Limit, float]
    """How much faster with twice the speed, twice the rate of links, half the delay, or all the memory."""
    sentences: tuple[str, ...]
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A kind of parallelism that was not chosen."""

    strategy: Strategy
    reason: str


def explained(
    problem: PlanProblem,
    best: Found,
    foreseen: Forecast,
    found: Mapping[Strategy, Found],
    together: Found | None,
) -> Explanation:
    """The reasons for a plan: what it was chosen over, what holds it back, and what would change that."""
    gains = _gains(problem, best)
    limit = max(gains, key=lambda one: gains[one])
    figures = {
        "latency_ns": foreseen.latency_ns,
        "bound_ns": foreseen.bound_ns,
        "share_of_bound": foreseen.bound_ns / foreseen.latency_ns,
        "decode_ns": foreseen.decode_ns,
        "num_devices": float(len(best.plan.parts)),
    }
    local, sentences = found.get(Strategy.LOCAL), [_chosen(problem, best, foreseen)]
    if local is not None:
        figures["over_one_device"] = local.latency_ns / best.latency_ns
        if local.plan != best.plan:
            sentences.append(_over_one(problem, best, local))
    elif Strategy.LOCAL in problem.strategies:
        sentences.append(_no_single(problem))
    if together is not None and set(together.plan.devices) != set(best.plan.devices):
        figures["all_together_over_this"] = best.latency_ns / together.latency_ns
        sentences.append(_all_lose(problem, best, together))
    sentences.append(_limited(problem, best.plan, limit, gains))
    return Explanation(limit=limit, gains=gains, sentences=tuple(sentences), figures=figures)


def rejections(
    problem: PlanProblem, best: Found, found: Mapping[Strategy, Found], together: Found | None
) -> tuple[Rejected, ...]:
    """Why a plan is none of the other kinds."""
    known = dict(found)
    if together is not None:
        known.setdefault(together.plan.strategy, together)
    return tuple(
        Rejected(strategy=strategy, reason=_reason(problem, strategy, best, known.get(strategy)))
        for strategy in Strategy
        if strategy is not best.plan.strategy
    )


def _reason(problem: PlanProblem, strategy: Strategy, best: Found, other: Found | None) -> str:
    if strategy not in problem.strategies:
        return "was not asked for"
    if other is not None:
        times = other.latency_ns / best.latency_ns
        return f"takes {_ms(other.latency_ns)}, {times:.2f} times as long, {_on(problem, other.plan)}"
    if strategy in (Strategy.LOCAL, Strategy.SEQUENCE) and not _holders(problem, strategy):
        return (
            f"no {'one device holds' if strategy is Strategy.LOCAL else 'two devices hold'} the whole model"
        )
    if strategy is Strategy.SEQUENCE and problem.load.num_new_tokens:
        return "generates no tokens"
    if strategy is not Strategy.LOCAL and len(problem.cluster.devices) == 1:
        return "needs two devices"
    return "is slower by every plan that fits, or none fits"


def _holders(problem: PlanProblem, strategy: Strategy) -> bool:
    needed = _whole_model_bytes(problem, 1 if strategy is Strategy.SEQUENCE else problem.load.num_tokens)
    able = [
        device for device in range(len(problem.cluster.devices)) if problem.budget_bytes(device) >= needed
    ]
    return len(able) >= (1 if strategy is Strategy.LOCAL else 2)


def _whole_model_bytes(problem: PlanProblem, rows: int) -> int:
    return whole_bytes(problem.architecture, Span(0, problem.architecture.num_layers), rows, problem.load)


def _gains(problem: PlanProblem, best: Found) -> dict[Limit, float]:
    """Of the same plan, but for memory: there devices might take what they had no room for."""
    changed = {
        Limit.COMPUTE: _changed(problem.cluster, speed=2.0),
        Limit.LINK: _changed(problem.cluster, rate=2.0),
        Limit.DELAY: _changed(problem.cluster, delay=0.5),
    }
    gains = {
        limit: best.latency_ns / problem.with_cluster(cluster).forecast(best.plan).latency_ns
        for limit, cluster in changed.items()
    }
    if _has_room_for_all(problem):
        return gains | {Limit.MEMORY: 1.0}
    roomy = replace(problem, reserve_bytes=-(1 << 60))
    return gains | {Limit.MEMORY: max(1.0, best.latency_ns / _roomy_ns(roomy, best))}


def _has_room_for_all(problem: PlanProblem) -> bool:
    """Whether memory kept no plan away: the last of devices that share rows needs the most."""
    needed = _whole_model_bytes(problem, problem.load.num_tokens)
    needed += shared_rows_bytes(problem.architecture, Span(0, problem.load.num_tokens), problem.load)
    return all(problem.budget_bytes(device) >= needed for device in range(len(problem.cluster.devices)))


def _roomy_ns(roomy: PlanProblem, best: Found) -> float:
    """About the best with memory for everything: the same devices with other shares, or one alone."""
    found = [
        best,
        best_local(roomy) if Strategy.LOCAL in roomy.strategies else None,
        _shared_again(roomy, best) if len(best.plan.parts) > 1 else None,
    ]
    return min(one.latency_ns for one in found if one is not None)


def _shared_again(roomy: PlanProblem, best: Found) -> Found | None:
    """By the same devices; of many, at first sight: a closer look would take as long as planning."""
    if len(best.plan.parts) > MOST_WHOLE:
        return any_shared(roomy, best.plan.devices)
    return best_shared(roomy, best.plan.devices, best.latency_ns)


def _changed(
    cluster: ClusterProfile, *, speed: float = 1.0, rate: float = 1.0, delay: float = 1.0
) -> ClusterProfile:
    """The same cluster with other devices or links."""

    def device(one: DeviceProfile) -> DeviceProfile:
        return replace(
            one,
            product_rates=tuple(known * speed for known in one.product_rates),
            attention_rate=one.attention_rate * speed,
            memory_rate=one.memory_rate * speed,
            call_ns=one.call_ns / speed,
            tile_ns=one.tile_ns / speed,
        )

    def link(one: LinkProfile) -> LinkProfile:
        return replace(one, rate=one.rate * rate, delay_ns=one.delay_ns * delay)

    return replace(
        cluster,
        devices=tuple(map(device, cluster.devices)),
        links=tuple(tuple(map(link, row)) for row in cluster.links),
    )


def _chosen(problem: PlanProblem, best: Found, foreseen: Forecast) -> str:
    plan, num = best.plan, len(problem.cluster.devices)
    words = [
        (
            f"{plan.strategy} {_on(problem, plan)} ({len(plan.parts)} of {num} devices) "
            f"takes {_ms(best.latency_ns)}"
        )
    ]
    if len(plan.parts) > 1:
        words.append(
            f"{foreseen.bound_ns / foreseen.latency_ns:.0%} of what the same shares could reach at best"
        )
    return ", ".join(words) + "."


def _over_one(problem: PlanProblem, best: Found, local: Found) -> str:
    name = problem.cluster.devices[local.plan.devices[0]].name
    times = local.latency_ns / best.latency_ns
    return f"The best single device, {name}, takes {_ms(local.latency_ns)}: {times:.2f} times as long."


def _no_single(problem: PlanProblem) -> str:
    needed = _whole_model_bytes(problem, problem.load.num_tokens)
    most = max(problem.budget_bytes(device) for device in range(len(problem.cluster.devices)))
    return (
        f"No device holds the model alone: it needs {needed / _MB:.0f} MB, "
        f"and the largest has {most / _MB:.0f} MB."
    )


def _all_lose(problem: PlanProblem, best: Found, together: Found) -> str:
    """Such as ``4 devices at 125 Mbit/s lose to one: 0.32x``."""
    num, few = len(together.plan.parts), len(best.plan.parts)
    rates = [
        problem.cluster.links[sender][receiver].rate
        for sender, receiver in zip(together.plan.devices, _turned(together.plan.devices), strict=True)
    ]
    words = "one" if few == 1 else str(few)
    return (
        f"{num} devices at {min(rates) * _MBIT:.4g} Mbit/s lose to {words}: "
        f"{best.latency_ns / together.latency_ns:.2f}x ({_ms(together.latency_ns)})."
    )


def _limited(problem: PlanProblem, plan: ParallelPlan, limit: Limit, gains: Mapping[Limit, float]) -> str:
    """What holds it back, and what a user could change."""
    words = {
        Limit.COMPUTE: "Computing is the limit: devices twice as fast",
        Limit.LINK: "Links are the limit: twice their rate",
        Limit.DELAY: "The delay of links is the limit: half of it",
        Limit.MEMORY: "Memory is the limit: room for everything on each device",
    }
    told = f"{words[limit]} would make it {gains[limit]:.2f} times as fast"
    others = {
        Limit.COMPUTE: "devices twice as fast",
        Limit.LINK: "links twice as fast",
        Limit.DELAY: "half the delay",
        Limit.MEMORY: "more memory",
    }
    more = [
        f"{others[one]} {gain:.2f} times"
        for one, gain in gains.items()
        if one is not limit and gain >= _WORTH_SAYING
    ]
    return told + (f"; {', '.join(more)}." if more else "; nothing else would help.")


def _on(problem: PlanProblem, plan: ParallelPlan) -> str:
    return "on " + ", ".join(problem.cluster.devices[device].name for device in plan.devices)


def _turned(devices: tuple[int, ...]) -> tuple[int, ...]:
    return (*devices[1:], devices[0])


def _ms(duration_ns: float) -> str:
    return f"{duration_ns / _MS:.4g} ms"
