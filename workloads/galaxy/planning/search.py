"""Looks through subsets of devices and kinds of parallelism; arithmetic only.

A subset's best plan depends on nothing but its devices, and a subset is left out only where it cannot be
better than what was found: up to ``subsets.MOST_WHOLE`` devices no plan of fewer of them is ever faster
than the one found. Of more than ``subsets.MANY`` devices not all plans are played (``best_shared``).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf

from workloads.galaxy.forecasting.work_times import one_layer_ns
from workloads.galaxy.memory import SHARED
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.plan_bounds import least_ns
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.shared_plans import Found, any_shared, best_shared
from workloads.galaxy.planning.subsets import MANY, subsets_of
from workloads.galaxy.planning.whole_plans import best_local, best_pipeline, best_sequence

_WHOLE: Mapping[Strategy, Callable[[PlanProblem, float], Found | None]] = {
    Strategy.LOCAL: best_local,
    Strategy.PIPELINE: best_pipeline,
    Strategy.SEQUENCE: best_sequence,
}


def best_of_each(problem: PlanProblem) -> dict[Strategy, Found]:
    """The fastest plan of each kind that fits; of one that cannot be the fastest, none or any."""
    found: dict[Strategy, Found] = {}
    for strategy, search in _WHOLE.items():
        if strategy in problem.strategies:
            latest = min((one.latency_ns for one in found.values()), default=inf)
            best = search(problem, latest)
            if best is not None:
                found[strategy] = best
    for subset in _promising(problem):
        latest = min((one.latency_ns for one in found.values()), default=inf)
        if subset[0] >= latest:
            continue
        best = best_shared(problem, subset[1], latest)
        if best is not None:
            found[best.plan.strategy] = best
    return found


def all_together(problem: PlanProblem) -> Found | None:
    """A plan of as many devices as can share the layers, fast or not; None where they cannot."""
    devices = _by_speed(problem)[: problem.architecture.num_kv_heads]
    shared = tuple(strategy for strategy in problem.strategies if strategy in SHARED)
    if len(devices) < 2 or not shared:
        return None
    return any_shared(replace(problem, strategies=shared), devices)


def _promising(problem: PlanProblem) -> list[tuple[float, tuple[int, ...]]]:
    """Subsets that may share layers, those that could be fastest first, each with the least it could take.

    Plans of more than ``MANY`` devices take long to play, but not where a good one of fewer is known.
    """
    if not any(strategy in SHARED for strategy in problem.strategies):
        return []
    bounds = ((least_ns(problem, devices), devices) for devices in _subsets(problem))
    return sorted(bounds, key=lambda one: (len(one[1]) > MANY, *one))


def _subsets(problem: PlanProblem) -> Iterator[tuple[int, ...]]:
    devices = _by_speed(problem)
    rank = {device: place for place, device in enumerate(devices)}
    links = problem.cluster.links

    def speed(device: int) -> float:
        return rank[device]

    def reach(device: int) -> float:
        return -sum(links[device][other].rate for other in devices if other != device)

    def room(device: int) -> float:
        return -problem.budget_bytes(device)

    for devices_of in subsets_of(devices, problem.architecture.num_kv_heads, (speed, reach, room)):
        yield tuple(sorted(devices_of, key=rank.__getitem__))


def _by_speed(problem: PlanProblem) -> list[int]:
    """All devices, the fastest first: it takes requests in."""
    load = problem.load
    times = [
        one_layer_ns(problem.architecture, device, load.num_tokens, load.itemsize)
        for device in problem.cluster.devices
    ]
    return sorted(range(len(times)), key=times.__getitem__)
