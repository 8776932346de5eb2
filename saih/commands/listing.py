"""A plan in words: points with their costs, what is dropped, and the totals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from typing import Any

from saih.commands.plan_explanations import explanation_lines, explanation_of
from saih.config.definition import define
from saih.config.schema import SCHEDULERS
from saih.domain.batch import Batch
from saih.domain.quantity import counted, with_si
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.domain.trend import EXECUTION_LABEL
from saih.planner.demand import Demand, demand
from saih.planner.duration import NO_CEILINGS, KnownCeilings, predict
from saih.planner.limits import in_bytes
from saih.planner.packing import pack, within_time
from saih.planner.plan import Plan, PlannedPoint
from saih.planner.rates_known import rates_words
from saih.reports.rung_labels import labels_apart
from saih.reports.terminal_table import table_lines

MAX_ROWS = 60
"""Longer plans show their first and last points only."""
_LAST_ROWS = 10
_WHOLE_LABEL = 18
_MAX_DROPPED = 20
_MOST_MADE = 3


def plan_text(
    sweep: Sweep,
    plan: Plan,
    site: Site | None = None,
    width: int | None = None,
    ceilings: KnownCeilings = NO_CEILINGS,
) -> str:
    """The plan as tables, and what it asks of a site; without one, of jobs that may last any time.

    Tables are at most ``width`` columns wide, if that is given; ``ceilings`` are those that are known.
    """
    site = site or anywhere(sweep)
    plan = within_time(plan, site, ceilings)
    parts = [f"sweep {sweep.name}: {counted(len(plan.points), 'point')} of {sweep.workload}", *_axes(plan)]
    parts += _executions(sweep)
    parts += ["", *_points(plan, width)]
    parts += explanation_lines(plan.points, width)
    if plan.dropped:
        parts += ["", f"{counted(len(plan.dropped), 'point')} dropped:", *_dropped(plan)]
    batches = pack(plan.points, site, ceilings)
    needs = demand(plan, batches, site, ceilings)
    told = [*_totals(plan), *_needs(needs, batches, site), rates_words(plan.placements, ceilings)]
    return "\n".join([*parts, "", *told, *plan.notes])


def plan_json(
    sweep: Sweep, plan: Plan, site: Site | None = None, ceilings: KnownCeilings = NO_CEILINGS
) -> dict[str, Any]:
    """The plan as JSON values; units end the keys."""
    site = site or anywhere(sweep)
    plan = within_time(plan, site, ceilings)
    batches = pack(plan.points, site, ceilings)
    return {
        "sweep": define(sweep),
        "points": [_point_json(planned, ceilings) for planned in plan.points],
        "dropped": [
            {
                "point_id": dropped.point.point_id,
                "labels": dict(dropped.labels),
                "definition": dropped.point.definition,
                "reason": dropped.reason,
            }
            for dropped in plan.dropped
        ],
        "flops_of_one_step_of_every_point": plan.flops_of_one_step,
        "data_bytes": plan.data_bytes,
        "parked_bytes": plan.parked_bytes,
        "most_measuring_s": plan.most_measuring_s,
        "most_node_hours": plan.most_node_hours,
        "demand": asdict(demand(plan, batches, site, ceilings)),
        "rates": rates_words(plan.placements, ceilings),
        "batches": [_batch_json(batch) for batch in batches],
        "notes": list(plan.notes),
    }


def anywhere(sweep: Sweep, power_w_per_node: float | None = None) -> Site:
    """Stands for a system of which nothing is known: its jobs may last as long as they need."""
    scheduler = next(name for name in SCHEDULERS if name == sweep.scheduler)
    return Site(scheduler=scheduler, max_time_s=inf, notice_s=0.0, power_w_per_node=power_w_per_node)


def _point_json(planned: PlannedPoint, ceilings: KnownCeilings) -> dict[str, Any]:
    return {
        "point_id": planned.point.point_id,
        "labels": dict(planned.labels),
        "definition": planned.point.definition,
        "flops_per_step_and_rank": planned.cost.flops,
        "num_parameters": planned.cost.num_parameters,
        "peak_memory_bytes_per_rank": planned.cost.tensor_bytes(planned.point.placement.device),
        "dataset_bytes": planned.cost.dataset_bytes,
        "dataset_disk_bytes": planned.cost.dataset_disk_bytes or planned.cost.dataset_bytes,
        "dataset_work": planned.cost.dataset_work,
        "flops_per_sample": planned.cost.flops_per_sample,
        "predicted_s": predict(
            planned.point, planned.cost, ceilings.get(planned.point.placement.seats_label)
        ),
        "explanation": list(explanation_of(planned.point)),
    }


def _batch_json(batch: Batch) -> dict[str, Any]:
    return {
        "number": batch.number,
        "nodes": batch.nodes,
        "point_ids": [point.point_id for point in batch.points],
        "predicted_s": batch.predicted_s,
        "time_limit_s": batch.time_limit_s,
    }


def _label_names(plan: Plan) -> tuple[str, ...]:
    return tuple(plan.points[0].labels) if plan.points else ()


def _axes(plan: Plan) -> list[str]:
    """Each axis that grows, from its first rung to its last."""
    rungs: dict[str, Mapping[str, None]] = {
        name: dict.fromkeys(planned.labels[name] for planned in plan.points) for name in _label_names(plan)
    }
    return [
        f"  {name}: {len(labels)} rungs, {next(iter(labels))} to {list(labels)[-1]}"
        for name, labels in rungs.items()
        if len(labels) > 1 and name != EXECUTION_LABEL
    ]


def _executions(sweep: Sweep) -> list[str]:
    """In which executions every problem is measured; nothing where it is the plain one alone."""
    told = "; ".join(execution.label for execution in sweep.executions)
    return [] if all(one.is_plain for one in sweep.executions) else [f"  executed as: {told}"]


def _points(plan: Plan, width: int | None) -> list[str]:
    """A row for each point; what all have in common is said once."""
    names = _label_names(plan)
    header = ("point", *names, "FLOP per step", "memory per rank", "data set")
    known = [planned.labels for planned in plan.points]
    labels, shared = labels_apart(known, known)
    rows = [_row(planned, found) for planned, found in zip(plan.points, labels, strict=True)]
    same = [f"same at all points: {', '.join(shared)}"] if shared else []
    numbered = list(enumerate(names, start=1))
    # A name of an execution stays whole; settings that were given may be long.
    longest = max((len(planned.labels.get(EXECUTION_LABEL, "")) for planned in plan.points), default=0)
    whole = EXECUTION_LABEL if longest <= _WHOLE_LABEL else ""
    cuttable = ([number for number, name in numbered if name != whole],)
    if len(rows) <= MAX_ROWS:
        return [*same, *table_lines(header, rows, width=width, cuttable=cuttable)]
    ends = [*rows[: MAX_ROWS - _LAST_ROWS], *rows[-_LAST_ROWS:]]
    lines = table_lines(header, ends, cuttable=cuttable)
    left_out = f"... {len(rows) - len(ends)} more points (--json lists all)"
    return [*same, *lines[:-_LAST_ROWS], left_out, *lines[-_LAST_ROWS:]]


def _row(planned: PlannedPoint, labels: Mapping[str, str]) -> tuple[str, ...]:
    return (
        planned.point.point_id,
        *labels.values(),
        with_si(planned.cost.flops * planned.point.placement.num_ranks, "FLOP"),
        in_bytes(planned.cost.tensor_bytes(planned.point.placement.device)),
        in_bytes(planned.cost.dataset_bytes),
    )


def _dropped(plan: Plan) -> list[str]:
    lines = [
        f"  {', '.join(dropped.labels.values())}: {dropped.reason}" for dropped in plan.dropped[:_MAX_DROPPED]
    ]
    if len(plan.dropped) > _MAX_DROPPED:
        lines.append(f"  and {len(plan.dropped) - _MAX_DROPPED} more (--json lists all)")
    return lines


def _totals(plan: Plan) -> list[str]:
    node_hours = _node_hours(plan.most_node_hours)
    longest = f"at most {with_si(plan.most_measuring_s, 's')}, {node_hours} node-hours"
    parked = f"; parked layers, while a point runs: {in_bytes(plan.parked_bytes)}"
    return [
        f"data sets: {in_bytes(plan.data_bytes)}{_on_disk(plan)}{parked if plan.parked_bytes else ''}",
        *_making(plan),
        f"one step of every point: {with_si(plan.flops_of_one_step, 'FLOP')}",
        f"measuring: {longest} (start, warm-up and making the data sets come on top)",
    ]


def _on_disk(plan: Plan) -> str:
    """What they take on disk, with what they are made from, where that is told."""
    on_disk = plan.disk_bytes
    return f" uncompressed, at most {in_bytes(on_disk)} on disk" if on_disk != plan.data_bytes else ""


def _making(plan: Plan) -> list[str]:
    """What making the data sets takes, dearest first; those that take the same are told once."""
    costs = {one.point.problem.data: one.cost for one in plan.points if one.cost.dataset_work}
    alike = Counter(
        (cost.dataset_core_s, cost.dataset_work, cost.dataset_memory_bytes) for cost in costs.values()
    )
    dearest = sorted(alike.items(), reverse=True)
    lines = [
        f"making data: {f'{count} x ' if count > 1 else ''}{work}: {_node_hours(core_s / 3600)} core-hours, "
        f"{in_bytes(memory)} of memory at a time"
        for (core_s, work, memory), count in dearest[:_MOST_MADE]
    ]
    left = sum(count for _, count in dearest[_MOST_MADE:])
    return [*lines, *([f"making data: {counted(left, 'smaller data set')} besides"] if left else [])]


def _needs(needs: Demand, batches: Sequence[Batch], site: Site) -> list[str]:
    nodes = max((batch.nodes for batch in batches), default=0)
    whole = f"predicted with all that: {_clock(needs.longest_s)} on {counted(nodes, 'node')}"
    if needs.num_batches > 1:
        whole += f" for {needs.num_batches} batches at the same time"
    idle = ""
    if needs.idle_node_hours > 0:
        idle = (
            f", {_node_hours(needs.idle_node_hours)} of them on nodes that wait while points with fewer "
            "ranks run (packing: placement in the site file avoids it)"
        )
    lines = [f"{whole}, {_node_hours(needs.node_hours)} node-hours{idle}", f"files: about {needs.num_files}"]
    if needs.joules is not None:
        lines.append(f"energy: {with_si(needs.joules, 'J')} (by power_W_per_node of the site file)")
    if site.scheduler != "local":
        most = f"; by their time limits they end after {_node_hours(needs.most_node_hours)} node-hours"
        lines.append(f"scheduler jobs: {_jobs(needs)}{most}")
    return lines


def _jobs(needs: Demand) -> str:
    if needs.num_batches < 2:
        return f"{needs.num_jobs} (makes data sets, measures, reports)"
    return f"{needs.num_jobs} (1 makes data sets, {needs.num_batches} measure, 1 reports)"


def _node_hours(hours: float) -> str:
    return f"{hours:.3g}" if hours < 100 else f"{hours:.0f}"


def _clock(duration_s: float) -> str:
    """A duration of minutes or hours, in two digits: it is no better known."""
    if duration_s < 100 * 60:
        return f"{max(1.0, duration_s / 60):.2g} min"
    hours = duration_s / 3600
    return f"{hours:.2g} h" if hours < 100 else f"{hours:.0f} h"
