"""A plan in words: points with their costs, what is dropped, and the totals."""

from typing import Any

from saih.commands.table import table
from saih.config.definition import define
from saih.domain.quantity import counted, with_si
from saih.domain.sweep import Sweep
from saih.planner.limits import in_bytes
from saih.planner.plan import Plan, PlannedPoint


def plan_text(sweep: Sweep, plan: Plan) -> str:
    """The plan as tables."""
    header = ("point", *_label_names(plan), "FLOP per step", "memory per rank", "data set")
    rows = [_row(planned) for planned in plan.points]
    parts = [
        f"sweep {sweep.name}: {counted(len(plan.points), 'point')} of {sweep.workload}",
        "",
        table(header, rows),
    ]
    if plan.dropped:
        parts += ["", f"{counted(len(plan.dropped), 'point')} dropped:"]
        parts += [f"  {', '.join(dropped.labels.values())}: {dropped.reason}" for dropped in plan.dropped]
    parts += ["", *_totals(plan), *plan.notes]
    return "\n".join(parts)


def plan_json(sweep: Sweep, plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; units end the keys."""
    return {
        "sweep": define(sweep),
        "points": [
            {
                "point_id": planned.point.point_id,
                "labels": dict(planned.labels),
                "definition": planned.point.definition,
                "flops_per_step_and_rank": planned.cost.flops,
                "num_parameters": planned.cost.num_parameters,
                "peak_memory_bytes_per_rank": planned.cost.peak_memory_bytes,
                "dataset_bytes": planned.cost.dataset_bytes,
            }
            for planned in plan.points
        ],
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
        "most_measuring_s": plan.most_measuring_s,
        "most_node_hours": plan.most_node_hours,
        "notes": list(plan.notes),
    }


def _label_names(plan: Plan) -> tuple[str, ...]:
    return tuple(plan.points[0].labels) if plan.points else ()


def _row(planned: PlannedPoint) -> tuple[str, ...]:
    return (
        planned.point.point_id,
        *planned.labels.values(),
        with_si(planned.cost.flops * planned.point.placement.num_ranks, "FLOP"),
        in_bytes(planned.cost.peak_memory_bytes),
        in_bytes(planned.cost.dataset_bytes),
    )


def _totals(plan: Plan) -> list[str]:
    longest = f"at most {with_si(plan.most_measuring_s, 's')}, {plan.most_node_hours:.3g} node-hours"
    return [
        f"data sets: {in_bytes(plan.data_bytes)}",
        f"one step of every point: {with_si(plan.flops_of_one_step, 'FLOP')}",
        f"measuring: {longest} (start, warm-up and making the data sets come on top)",
    ]
