"""What one scheduler job asks of the system: nodes, tasks, cores, devices, time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from saih.domain.batch import Batch
from saih.domain.site import Site

JobTask = Literal["generate", "measure", "report"]
_REPORT_S = 1800.0
_LONGEST_NOTICE = 0.5
"""Of the time limit: a job that is told to stop at once would never finish a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The resources of one job, or of each element of an array."""

    nodes: int
    tasks_per_node: int
    cores_per_task: int
    gpus_per_node: int
    time_s: int
    notice_s: int
    is_exclusive: bool


def shape_of(
    task: JobTask, site: Site, batches: Sequence[Batch], generating_limit_s: float | None = None
) -> Shape:
    """What a job at a site needs for its batches.

    Data sets are made on one node, by as many ranks as one node has when measuring. Placements that divide a
    node differently share an allocation: its tasks x cores cover the cores that any of them uses.
    """
    limits_s = [batch.time_limit_s for batch in batches]
    if task == "report":
        return _shape(nodes=1, placements=(), time_s=min(_REPORT_S, site.max_time_s), notice_s=site.notice_s)
    is_generating = task == "generate"
    nodes = 1 if is_generating else max(batch.nodes for batch in batches)
    most_s = sum(limits_s) if generating_limit_s is None else generating_limit_s
    time_s = min(most_s, site.max_time_s) if is_generating else max(limits_s)
    placements = tuple(
        (point.placement.ranks_per_node, point.placement.threads_per_rank, point.placement.gpus_per_node)
        for batch in batches
        for point in batch.points
    )
    return _shape(
        nodes=nodes,
        placements=placements,
        time_s=time_s,
        notice_s=site.notice_s,
        is_exclusive=site.is_exclusive,
    )


def _shape(
    *,
    nodes: int,
    placements: Sequence[tuple[int, int, int]],
    time_s: float,
    notice_s: float,
    is_exclusive: bool = False,
) -> Shape:
    tasks = max((ranks for ranks, _, _ in placements), default=1)
    cores = max((ranks * threads for ranks, threads, _ in placements), default=1)
    if cores % tasks:  # 3 x 1 and 1 x 4 fit a node of 4 cores, 3 tasks of 2 cores do not
        tasks = cores
    whole_s = 60 * ceil(time_s / 60)  # schedulers count minutes
    return Shape(
        nodes=nodes,
        tasks_per_node=tasks,
        cores_per_task=cores // tasks,
        gpus_per_node=max((gpus for _, _, gpus in placements), default=0),
        time_s=whole_s,
        notice_s=ceil(min(notice_s, _LONGEST_NOTICE * whole_s)),
        is_exclusive=is_exclusive,
    )
