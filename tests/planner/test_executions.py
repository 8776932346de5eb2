"""Plans of several executions: each problem in each of them, and those that a rank cannot do left out."""

from dataclasses import replace

import pytest

from augment.problem import Problem, Shape
from saih.domain.ceiling import Ceilings
from saih.domain.limits import Limits
from saih.domain.number_formats import possible_precisions, precisions_met
from saih.domain.point import Placement, Point, Timing
from saih.domain.sweep import Sweep
from saih.planner.duration import ADDED_CEILINGS_S, CEILINGS_S, predict, preparing_s
from saih.planner.limits import RUNTIME_BYTES_PER_RANK
from saih.planner.plan import Plan, make_plan
from workloads.execution import GIVEN, PLAIN, REFERENCE, TUNED, TUNED_AT_PRECISION, Execution

GPU = Placement(device="cuda")


def planned(sweep: Sweep, *executions: Execution, **changes: object) -> Plan:
    return make_plan(replace(sweep, executions=executions, **changes), Limits())


@pytest.fixture
def one(base_sweep: Sweep) -> Sweep:
    """One problem on one rank."""
    return replace(base_sweep, ladders=(), placements=(Placement(threads_per_rank=2),))


def only(plan: Plan) -> Point:
    assert not plan.dropped
    (single,) = plan.points
    return single.point


def test_every_problem_is_measured_in_every_execution_one_after_the_other(base_sweep: Sweep) -> None:
    plan = planned(base_sweep, REFERENCE, TUNED)
    assert len(plan.points) == 2 * len(planned(base_sweep, PLAIN).points) == 12
    assert [one.point.execution for one in plan.points] == [REFERENCE, TUNED] * 6
    assert [one.labels["execution"] for one in plan.points[:2]] == ["reference", "tuned"]
    assert plan.points[0].point.problem == plan.points[1].point.problem
    assert any("tuned: before such a point" in note and "20 s" in note for note in plan.notes)


def test_the_plain_execution_alone_changes_nothing_of_a_plan(one: Sweep) -> None:
    plan = planned(one, PLAIN)
    assert "execution" not in plan.points[0].labels
    assert "execution" not in only(plan).definition
    assert plan.notes == make_plan(one, Limits()).notes


def test_points_of_other_executions_have_ids_of_their_own(one: Sweep) -> None:
    given = Execution(name=GIVEN, layout="channels_first", precision="float32")
    ids = {only(planned(one, execution)).point_id for execution in (PLAIN, REFERENCE, TUNED, given)}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("execution", "changes", "told"),
    [
        (Execution(name=GIVEN, precision="tf32"), {}, "tf32 on device cpu, but products in tf32 are done by"),
        (Execution(name=GIVEN, precision="float16"), {}, "use bfloat16"),
        (PLAIN, {"precision": "float16"}, "precision is float16 on device cpu"),
        (Execution(name=GIVEN, graph="step"), {}, "graph is step on device cpu"),
        (Execution(name=GIVEN, threads=3), {}, "threads is 3, but a rank of the placement has 2"),
        (Execution(name=GIVEN, threads=2), {"placements": (GPU,)}, "they are those of a CPU"),
        (
            Execution(name=GIVEN, graph="step"),
            {"placements": (replace(GPU, ranks_per_node=2, data_parallel=2),)},
            "graph is step with exchange ddp",
        ),
    ],
)
def test_what_a_rank_cannot_do_is_left_out_by_name(
    one: Sweep, execution: Execution, changes: dict[str, object], told: str
) -> None:
    plan = planned(one, execution, **changes)
    assert not plan.points
    assert told in plan.dropped[0].reason


def test_a_gpu_is_asked_for_formats_and_graphs(one: Sweep) -> None:
    for precision in ("tf32", "float16"):
        given = Execution(name=GIVEN, precision=precision, graph="step")
        assert only(planned(one, given, placements=(GPU,))).asked_precision == precision


def test_the_reference_costs_what_float32_costs_whatever_the_run_is_in(one: Sweep) -> None:
    lower = planned(one, REFERENCE, PLAIN, precision="bfloat16").points
    wide = planned(one, PLAIN).points[0].cost
    assert lower[0].cost.peak_memory_bytes >= lower[1].cost.peak_memory_bytes
    assert [one.name for one in lower[0].cost.operations] == [one.name for one in wide.operations]
    assert [one.memory_bytes for one in lower[0].cost.operations] == [
        one.memory_bytes for one in wide.operations
    ]


def test_workloads_with_one_way_to_run_are_told_so(base_sweep: Sweep) -> None:
    problem = Problem(data=Shape.of(sequence=32, batches=2), model=Shape.of(layers=2, hidden=64, heads=4))
    alone = replace(base_sweep, workload="energon", base=problem, ladders=(), placements=(Placement(),))
    plan = planned(alone, PLAIN, TUNED)
    assert [one.point.execution for one in plan.points] == [PLAIN]
    assert "energon runs its steps in one way, not tuned" in plan.dropped[0].reason
    refused = planned(alone, PLAIN, precision="tf32").dropped[0].reason
    assert "precision 'tf32' is unknown; use float32, bfloat16" in refused


def test_searches_take_time_that_is_planned(one: Sweep) -> None:
    cost = planned(one, PLAIN).points[0].cost
    plain, tuned = (only(planned(one, execution)) for execution in (PLAIN, TUNED))
    assert predict(tuned, cost) - predict(plain, cost) >= Timing().search_budget_s == 20
    short = replace(tuned, timing=Timing(budget_s=4.0))
    assert short.timing.search_budget_s == 4
    assert predict(short, cost) < predict(tuned, cost)


def test_ceilings_are_wanted_in_every_format_that_a_search_may_choose(one: Sweep) -> None:
    points = {
        execution.name: only(planned(one, execution)) for execution in (PLAIN, TUNED, TUNED_AT_PRECISION)
    }
    assert possible_precisions(points["plain"]) == ("float32",)
    assert possible_precisions(points["tuned"]) == ("float32", "bfloat16")
    assert possible_precisions(points["tuned_at_precision"]) == ("float32",)
    narrow = only(planned(one, TUNED, precision="bfloat16"))
    assert possible_precisions(narrow) == ("bfloat16",)  # float32 may not fit where it does
    on_gpu = only(planned(one, TUNED, placements=(GPU,)))
    assert possible_precisions(on_gpu) == ("float32", "tf32", "bfloat16", "float16")
    reference = only(planned(one, REFERENCE, precision="bfloat16"))
    assert precisions_met([narrow, reference]) == ("bfloat16", "float32")


def test_formats_that_were_tried_in_vain_are_not_tried_again() -> None:
    known = Ceilings(
        environment_id="e", placement_label="p", curves=(), measured_utc="2025-01-01T00:00:00Z",
        all_reduce_latency_s=None, all_reduce_bytes_per_s=None, vendor_flops_per_s={},
        absent={"bfloat16": "no such operation", "float32": "no memory", "gemm": "no memory"},
    )  # fmt: skip
    both, single = ("float32", "bfloat16"), ("float32",)
    assert known.tried_precisions == set(both)
    assert preparing_s(Placement(), None, both) - preparing_s(Placement(), known, both) == (
        CEILINGS_S + ADDED_CEILINGS_S
    )
    assert preparing_s(Placement(), None, single) - preparing_s(Placement(), known, single) == CEILINGS_S


def test_a_search_needs_room_for_a_second_model(one: Sweep) -> None:
    plain, tuned = (planned(one, execution).points[0].cost for execution in (PLAIN, TUNED))
    assert tuned.peak_memory_bytes - plain.peak_memory_bytes == 3 * plain.gradient_bytes
    room = Limits(memory_bytes_per_node=plain.peak_memory_bytes + RUNTIME_BYTES_PER_RANK)
    plan = make_plan(replace(one, executions=(PLAIN, TUNED)), room)
    assert [found.point.execution for found in plan.points] == [PLAIN]
    assert "of tensors" in plan.dropped[0].reason
