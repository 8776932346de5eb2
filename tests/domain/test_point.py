"""A point is named by exactly what decides its run."""

from dataclasses import replace

import pytest

from augment.problem import Problem, Shape
from saih.domain.errors import UsageError
from saih.domain.point import Exchange, Placement, Point, Timing

POINT = Point(
    workload="cosmoflow",
    problem=Problem(data=Shape.of(resolution=32, samples=8), model=Shape.of(width=8, depth=1)),
    batch_per_rank=2,
    precision="float32",
    exchange="ddp",
    placement=Placement(ranks_per_node=2, data_parallel=2),
    timing=Timing(),
    seed=1,
)


def test_the_order_of_sizes_does_not_change_the_name() -> None:
    other = Problem(data=Shape.of({"samples": 8, "resolution": 32}), model=Shape.of(depth=1, width=8))
    assert replace(POINT, problem=other).point_id == POINT.point_id


@pytest.mark.parametrize(
    "changed",
    [
        replace(POINT, seed=2),
        replace(POINT, batch_per_rank=4),
        replace(POINT, precision="bfloat16"),
        replace(POINT, exchange="none"),
        replace(POINT, timing=Timing(budget_s=21.0)),
        replace(POINT, placement=Placement(ranks_per_node=2, data_parallel=2, threads_per_rank=2)),
        replace(POINT, problem=Problem(data=Shape.of(resolution=64), model=POINT.problem.model)),
        replace(POINT, schema_version=2),
    ],
)
def test_every_deciding_value_changes_the_name(changed: Point) -> None:
    assert changed.point_id != POINT.point_id


def test_a_name_is_sixteen_hexadecimal_digits_and_stays_the_same_over_releases() -> None:
    assert POINT.point_id == "392814f610524ccd"


def test_a_placement_whose_products_differ_shows_both() -> None:
    with pytest.raises(UsageError, match=r"2 nodes x 3 ranks = 6 ranks.*2 x 1 x 1 = 2") as error:
        Placement(nodes=2, ranks_per_node=3, data_parallel=2)
    assert error.value.exit_code == 2
    assert "make both products equal" in error.value.remedy


def test_a_placement_names_itself() -> None:
    assert Placement().label == "1 node x 1 rank x 1 thread (cpu)"
    assert POINT.placement.label == "1 node x 2 ranks x 1 thread (cpu)"


@pytest.mark.parametrize(
    ("exchange", "degrees", "size", "meeting"),
    [
        ("ddp", {"data_parallel": 4}, 4, "gradients"),
        ("none", {"data_parallel": 4}, 1, "never"),
        ("none", {"data_parallel": 2, "tensor_parallel": 2}, 2, "division"),
        ("none", {"tensor_parallel": 2, "pipeline_parallel": 2}, 4, "division"),
    ],
)
def test_replicas_meet_only_where_they_exchange_gradients(
    exchange: Exchange, degrees: dict[str, int], size: int, meeting: str
) -> None:
    point = replace(POINT, exchange=exchange, placement=Placement(ranks_per_node=4, **degrees))
    assert (point.ranks_that_meet, point.meeting) == (size, meeting)


def test_one_rank_meets_nobody_whatever_it_would_exchange() -> None:
    point = replace(POINT, exchange="ddp", placement=Placement())
    assert point.meeting == "never"


def test_a_placement_whose_ranks_share_samples_says_so_and_others_are_named_as_ever() -> None:
    shared = Placement(ranks_per_node=4, data_parallel=2, spatial_parallel=2)
    assert shared.label == "1 node x 4 ranks x 1 thread (cpu, spatial 2)"
    assert shared.degrees.num_ranks == 2
    assert shared.seats == Placement(ranks_per_node=4, data_parallel=4)
    assert shared.definition["spatial_parallel"] == 2
    assert "spatial_parallel" not in shared.seats.definition
    assert replace(POINT, placement=shared, exchange="none").ranks_that_meet == 2
    with pytest.raises(UsageError, match="data x tensor x pipeline x spatial degrees are 1 x 1 x 1 x 3 = 3"):
        Placement(ranks_per_node=2, spatial_parallel=3)
