"""Scaling over ranks: what stays the same, where the ranks go, and that old points keep their names."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Point, Timing
from saih.domain.scaling import RankLadder, placed_on

COUNTS = st.integers(1, 512)


@given(batch=COUNTS, ranks=st.sets(COUNTS, min_size=1).map(lambda numbers: tuple(sorted(numbers))))
def test_strong_scaling_keeps_the_global_batch_or_refuses(batch: int, ranks: tuple[int, ...]) -> None:
    ladder = RankLadder(scaling="strong", ranks=ranks)
    whole = batch * ranks[0]
    for rung in ranks:
        if whole % rung == 0:
            assert ladder.batch_per_rank(batch, rung) * rung == whole
        else:
            with pytest.raises(
                UsageError, match=rf"global batch of {whole} samples .* {rung} ranks"
            ) as caught:
                ladder.batch_per_rank(batch, rung)
            assert "batch_per_rank" in caught.value.remedy


@pytest.mark.parametrize("scaling", ["weak", "throughput"])
def test_other_scaling_keeps_the_batch_of_a_rank(scaling: str) -> None:
    ladder = RankLadder(scaling="weak" if scaling == "weak" else "throughput", ranks=(1, 3, 4096))
    assert [ladder.batch_per_rank(5, rung) for rung in ladder.ranks] == [5, 5, 5]


@pytest.mark.parametrize("ranks", [(), (0, 1), (2, 1), (1, 1), (-1,)])
def test_rungs_that_do_not_grow_from_one_are_refused(ranks: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="ranks axis"):
        RankLadder(scaling="weak", ranks=ranks)


@given(nodes=COUNTS, per_node=COUNTS, rung=st.integers(1, 4096))
def test_ranks_fill_nodes_one_after_the_other(nodes: int, per_node: int, rung: int) -> None:
    base = Placement(nodes=nodes, ranks_per_node=per_node, threads_per_rank=3, data_parallel=nodes * per_node)
    if rung > per_node and rung % per_node:
        with pytest.raises(UsageError, match=f"{rung} ranks do not fill nodes of {per_node}"):
            placed_on(base, rung)
        return
    placed = placed_on(base, rung)
    assert placed.num_ranks == rung == placed.data_parallel
    assert placed.nodes == max(1, rung // per_node)
    assert placed.ranks_per_node == min(rung, per_node)
    assert replace(placed, nodes=nodes, ranks_per_node=per_node, data_parallel=nodes * per_node) == base


OLD = Point(
    workload="cosmoflow",
    problem=Problem(
        data=Shape.of(samples=32, universes=8, resolution=64, channels=4), model=Shape.of(depth=1, width=16)
    ),
    batch_per_rank=2,
    precision="float32",
    exchange="ddp",
    placement=Placement(nodes=2, ranks_per_node=4, threads_per_rank=8, device="cuda", data_parallel=8),
    timing=Timing(budget_s=8.0, max_steps=2000),
    seed=1,
)
OLD_ID = "357dbd01b9b790fb"
"""Computed before placements said anything about binding and GPUs of a rank."""


def test_points_that_were_measured_before_the_ranks_axis_keep_their_names() -> None:
    assert OLD.point_id == OLD_ID
    assert set(OLD.definition["placement"]).isdisjoint({"binding", "gpus_per_rank"})


def test_a_rung_of_the_ranks_axis_is_the_point_that_its_placement_always_was() -> None:
    base = replace(OLD.placement, nodes=16, data_parallel=64)
    assert replace(OLD, placement=placed_on(base, 8)).point_id == OLD_ID


@pytest.mark.parametrize("changed", [{"binding": "core"}, {"gpus_per_rank": 2}])
def test_what_came_later_decides_the_name_where_it_is_used(changed: dict[str, object]) -> None:
    assert replace(OLD, placement=replace(OLD.placement, **changed)).point_id != OLD_ID
