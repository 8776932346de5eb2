"""What a sweep asks of a system: node-hours, bytes, files, jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from saih.domain.batch import Batch
from saih.domain.number_formats import precisions_met
from saih.domain.site import Site
from saih.planner.duration import KnownCeilings, apart_s, predict, preparing_s
from saih.planner.packing import time_limit_s
from saih.planner.plan import Plan

_FILES_OF_POINT = 4
"""Definition, environment, steps and outcome of one attempt."""
_FILES_OF_PLACEMENT = 7
"""Ceilings, and what was asked and said in three jobs of ranks."""
_FILES_OF_BATCH = 7
"""Points, holder and progress; its submission, script, receipt and log."""
_FILES_OF_SWEEP = 4
"""Definition, room, lock and report."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What running every point once will take, as predicted."""

    num_batches: int
    num_jobs: int
    """Jobs that the scheduler gets; 0 where there is none."""
    node_hours: float
    """Held by the batches for as long as they are predicted to run."""
    idle_node_hours: float
    """Part of them, on nodes that wait because their batch works on fewer."""
    most_node_hours: float
    """Held when every batch runs into its time limit."""
    longest_s: float
    """Of one batch; as long as everything takes where all run at the same time."""
    data_bytes: int
    joules: float | None
    """Drawn by the held nodes at the power that the site file says; None where it says none."""
    num_files: int
    """Of data sets, results and report."""


def demand(
    plan: Plan, batches: Sequence[Batch], site: Site, ceilings: KnownCeilings = MappingProxyType({})
) -> Demand:
    """What the points of ``plan``, packed into ``batches``, ask of ``site``."""
    has_many, has_scheduler = len(batches) > 1, site.scheduler != "local"
    data_s = apart_s(plan.points) if has_many else 0.0
    held_s = sum(batch.nodes * batch.predicted_s for batch in batches) + data_s
    most_s = sum(batch.nodes * batch.time_limit_s for batch in batches)
    most_s += time_limit_s(data_s, site) if has_many else 0.0
    files = {one.point.problem.data: one.cost.dataset_files for one in plan.points}
    num_jobs = len(batches) + (2 if has_many else 0) if has_scheduler else 0
    node_hours = held_s / _HOUR_S
    power_w = site.power_w_per_node
    return Demand(
        num_batches=len(batches),
        num_jobs=num_jobs,
        node_hours=node_hours,
        idle_node_hours=_idle_s(plan, batches, ceilings) / _HOUR_S,
        most_node_hours=most_s / _HOUR_S,
        longest_s=max((batch.predicted_s for batch in batches), default=0.0) + data_s,
        data_bytes=plan.data_bytes,
        joules=None if power_w is None else node_hours * _HOUR_S * power_w,
        num_files=_FILES_OF_SWEEP
        + sum(files.values())
        + _FILES_OF_POINT * len(plan.points)
        + _FILES_OF_PLACEMENT * len(plan.placements)
        + (_FILES_OF_BATCH * len(batches) if has_scheduler else 0),
    )


def _idle_s(plan: Plan, batches: Sequence[Batch], ceilings: KnownCeilings) -> float:
    """Node-seconds for which nodes wait while others of their batch work."""
    costs = {one.point.point_id: one.cost for one in plan.points}
    total = 0.0
    for batch in batches:
        for point in batch.points:
            known = ceilings.get(point.placement.seats_label)
            duration_s = predict(point, costs[point.point_id], known)
            total += (batch.nodes - point.placement.nodes) * duration_s
        for placement in dict.fromkeys(point.placement for point in batch.points):
            known = ceilings.get(placement.seats_label)
            precisions = precisions_met(point for point in batch.points if point.placement == placement)
            prepared_s = preparing_s(placement, known, precisions)
            total += (batch.nodes - placement.nodes) * prepared_s
    return total
