"""An analysis as one side of a comparison."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from saih.domain.point import Point
from saih.domain.system import ENERGY_PARTS, Key, Price, System, SystemPoint, key_of
from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS, Analysis, FailedPoint, PointSummary
from workloads.execution import PLAIN

TIMED = "whole steps with their input; staging and start-up do not count"


def system_of(analysis: Analysis, name: str, price: Price | None = None) -> System:
    """The completed points of ``analysis``, ready to be held against another system."""
    return System(
        name=name,
        kind="saih",
        facts={**analysis.environment.facts, "what is timed": TIMED},
        cautions=analysis.warnings,
        points=tuple(_point(summary, analysis.sweep_name) for summary in analysis.points),
        price=price,
        size_labels={
            RANKS_AXIS: "ranks",
            **{trend.axis: trend.size_label for trend in analysis.trends},
        },
        failed=tuple(_failure(failed) for failed in analysis.failed),
        environment_id=analysis.environment.environment_id,
    )


def merged(name: str, systems: Sequence[System]) -> System:
    """Several runs on one system as one, so that they tell how far runs differ.

    Facts that the runs do not share are listed with all their values. Records get the number of their run
    behind their ids, which repeat from run to run.
    """
    first = systems[0]
    facts = {fact: _together(fact, systems) for fact in sorted({key for one in systems for key in one.facts})}
    points = tuple(
        replace(point, run=f"{number}: {point.run}", record_id=f"{point.record_id}#{number}")
        for number, system in enumerate(systems, start=1)
        for point in system.points
    )
    return replace(
        first,
        name=name,
        facts=facts,
        cautions=tuple(dict.fromkeys(text for one in systems for text in one.cautions)),
        points=points,
        size_labels={axis: label for one in systems for axis, label in one.size_labels.items()},
        failed=tuple(dict.fromkeys(text for one in systems for text in one.failed)),
        environment_id=" + ".join(dict.fromkeys(one.environment_id for one in systems)),
    )


def _together(fact: str, systems: Sequence[System]) -> str:
    return " / ".join(dict.fromkeys(system.facts.get(fact, "no entry") for system in systems))


def _point(summary: PointSummary, run: str) -> SystemPoint:
    placement = summary.point.placement
    return SystemPoint(
        key=_key(summary.point),
        labels=summary.labels,
        axis_sizes={**summary.axis_sizes, RANKS_AXIS: float(placement.num_ranks)},
        samples_per_s=summary.samples_per_s,
        flops_per_s=summary.flops_per_s,
        share_of_peak=summary.share_of_peak,
        step_ns=summary.step_ns,
        num_ranks=placement.num_ranks,
        num_nodes=placement.nodes,
        num_gpus=placement.gpus_per_node * placement.nodes,
        joules_per_sample=summary.energy.joules_per_sample if summary.energy is not None else None,
        record_id=summary.record_id,
        measured_utc=summary.measured_utc,
        device=placement.device,
        placement_label=placement.label,
        global_batch=summary.point.batch_per_rank * placement.data_parallel,
        run=run,
        facts={"seed": str(summary.point.seed), **_found_facts(summary), **_energy_facts(summary)},
    )


def _found_facts(summary: PointSummary) -> dict[str, str]:
    """The settings that a search found: they may differ from system to system."""
    return {"settings found": summary.execution.found_words} if summary.point.execution.is_searched else {}


def _energy_facts(summary: PointSummary) -> dict[str, str]:
    """What the energy is of: only energies of the same parts can be compared."""
    return {ENERGY_PARTS: ", ".join(summary.energy.parts)} if summary.energy is not None else {}


def _key(point: Point) -> Key:
    """All that decides the run but device, seed, timing and the version of the schema."""
    placement = {
        name: str(value)
        for name, value in (
            (field, getattr(point.placement, field))
            for field in (
                "nodes", "ranks_per_node", "threads_per_rank", "data_parallel", "tensor_parallel",
                "pipeline_parallel", "spatial_parallel", "gpus_per_rank", "binding",
            )
        )
    }  # fmt: skip
    return key_of(
        {
            "workload": point.workload,
            "data": _canonical(point.problem.data),
            "model": _canonical(point.problem.model),
            "batch_per_rank": str(point.batch_per_rank),
            "precision": point.asked_precision,
            **_executed(point),
            **point.supply.techniques,
            "exchange": point.exchange,
            **placement,
        }
    )


def _executed(point: Point) -> dict[str, str]:
    """As what its steps are executed; nothing for the plain execution, as systems have it that know no other.

    Two systems that search are asked the same, whatever each of them finds.
    """
    return {} if point.execution == PLAIN else {EXECUTION_LABEL: point.execution.label}


def _canonical(shape: Mapping[str, object]) -> str:
    return json.dumps(dict(shape), sort_keys=True, separators=(",", ":"))


def _failure(failed: FailedPoint) -> str:
    rungs = ", ".join(f"{axis} {label}" for axis, label in failed.labels.items())
    return (
        f"{rungs}; {failed.point.placement.label}: {str(failed.outcome).replace('_', ' ')}: {failed.reason}"
    )
