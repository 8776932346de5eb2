from dataclasses import replace

import pytest

from augment.problem import Problem, Shape
from saih.analyzer.counted import counted_cost
from saih.domain.counted import NOTE, CountedOperation, to_note
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import AttemptResult, Environment, Outcome, Record
from workloads import catalog
from workloads.protocol import Cost, OpKind

POINT = Point(
    workload="cosmoflow",
    problem=Problem(data=Shape.of(samples=4, resolution=8, channels=1), model=Shape.of(depth=1, width=2)),
    batch_per_rank=1,
    precision="float32",
    exchange="none",
    placement=Placement(),
    timing=Timing(),
    seed=1,
)


def record_with(notes: dict[str, str]) -> Record:
    environment = Environment(facts={}, notes={}, environment_id="e")
    result = AttemptResult(outcome=Outcome.COMPLETED, reason="", stop_reason="", steps=None, notes=notes)
    return Record(
        sweep_name="s", point=POINT, attempt=1, environment=environment, result=result, finished_utc=""
    )


@pytest.fixture
def declared() -> Cost:
    return catalog.workload("cosmoflow").cost(POINT.problem, batch_per_rank=1, precision="float32")


def test_what_was_counted_stands_in_place_of_what_was_declared(declared: Cost) -> None:
    counted = CountedOperation(
        phase="forward", kind=OpKind.MATMUL, flops=600, memory_bytes=60, num_kernels=3, channels=8.0
    )
    cost = counted_cost(record_with({NOTE: to_note([counted])}), declared)
    assert cost.flops == 600
    assert [one.num_kernels for one in cost.operations] == [3]
    assert replace(cost, operations=declared.operations) == declared


def test_a_record_without_a_count_keeps_what_was_declared(declared: Cost) -> None:
    assert counted_cost(record_with({}), declared) is declared


def test_operations_of_unknown_phases_and_kinds_are_left_out(declared: Cost) -> None:
    odd = CountedOperation(
        phase="lunch", kind=OpKind.MATMUL, flops=6, memory_bytes=6, num_kernels=1, channels=8.0
    )
    notes = {NOTE: to_note([odd, replace(odd, phase="forward", kind="magic")])}
    assert counted_cost(record_with(notes), declared) is declared


def test_of_ranks_that_share_a_model_the_least_busy_one_does_not_stand_for_all(declared: Cost) -> None:
    counted = CountedOperation(
        phase="forward", kind=OpKind.MATMUL, flops=600, memory_bytes=60, num_kernels=3, channels=8.0
    )
    divided = replace(declared, ranks_per_replica=2)
    assert counted_cost(record_with({NOTE: to_note([counted])}), divided) is divided
