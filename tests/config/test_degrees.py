"""Ranks that divide a model: how a sweep file asks for them."""

import pytest

from saih.config.definition import define, explained, restore
from saih.config.mistake import SweepFileError
from saih.config.preset import preset_sweep
from saih.config.rank_axis import doubling
from saih.config.sweep_file import parse_sweep
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.scaling import RankLadder, placed_on
from saih.domain.sweep import Sweep

SMALLEST = """name: tiny
workload: energon
base:
  data: {sequence: 16}
  model: {layers: 2, hidden: 16, heads: 2}
"""
DIVIDED = Placement(ranks_per_node=4, data_parallel=1, tensor_parallel=2, pipeline_parallel=2)


def swept(placement: str, more: str = "") -> Sweep:
    return parse_sweep(f"{SMALLEST}placement: {placement}\n{more}", "f.yaml")


def mistakes_of(placement: str, more: str = "") -> tuple[str, ...]:
    with pytest.raises(SweepFileError) as caught:
        swept(placement, more)
    return tuple(str(mistake) for mistake in caught.value.mistakes)


def test_ranks_that_are_left_make_replicas() -> None:
    (placement,) = swept("{nodes: 2, ranks_per_node: 6, tensor_parallel: 2, pipeline_parallel: 3}").placements
    assert (placement.data_parallel, placement.tensor_parallel, placement.pipeline_parallel) == (2, 2, 3)
    assert placement.label == "2 nodes x 6 ranks x 1 thread (cpu, tensor 2, pipeline 3)"
    assert placement.seats_label == placement.seats.label == "2 nodes x 6 ranks x 1 thread (cpu)"
    assert placement.seats.data_parallel == 12


def test_ranks_that_make_no_whole_replica_are_told() -> None:
    (mistake,) = mistakes_of("{ranks_per_node: 4, tensor_parallel: 3}")
    assert "found 4 ranks, expected whole replicas of tensor_parallel x pipeline_parallel = 3 x 1" in mistake
    assert "use multiples of 3 ranks" in mistake


def test_of_several_placements_only_the_wrong_one_is_told() -> None:
    (mistake,) = mistakes_of("[{ranks_per_node: 2, tensor_parallel: 2}, {pipeline_parallel: 2}]")
    assert "placement.1: found 1 ranks" in mistake


def test_degrees_come_back_from_a_definition_and_are_not_in_one_without() -> None:
    sweep = swept("[{}, {ranks_per_node: 2, tensor_parallel: 2}, {ranks_per_node: 2, pipeline_parallel: 2}]")
    definition = define(sweep)
    assert restore(definition, "d") == sweep
    assert [
        sorted(set(one) & {"tensor_parallel", "pipeline_parallel"}) for one in definition["placement"]
    ] == [
        [],
        ["tensor_parallel"],
        ["pipeline_parallel"],
    ]
    assert parse_sweep(explained(preset_sweep("energon")), "e") == preset_sweep("energon")


def test_a_workload_without_gradients_exchanges_none_whatever_the_default_is() -> None:
    assert swept("{ranks_per_node: 2, tensor_parallel: 2}").exchange == "none"
    assert parse_sweep(SMALLEST, "f.yaml", ["run.exchange=none"]).exchange == "none"
    assert parse_sweep(SMALLEST, "f.yaml", ["run.seed=3"]).exchange == "none"


@pytest.mark.parametrize("exchange", ["ddp", "horovod"])
def test_an_exchange_of_gradients_that_there_are_not_is_refused_by_name(exchange: str) -> None:
    (mistake,) = mistakes_of("{ranks_per_node: 2}", f"run: {{exchange: {exchange}}}\n")
    assert f"run.exchange: found {exchange}, expected none, since energon has no gradients" in mistake
    assert "remove the key" in mistake
    with pytest.raises(SweepFileError, match=f"--set run.exchange: run.exchange: found {exchange}"):
        parse_sweep(SMALLEST, "f.yaml", [f"run.exchange={exchange}"])


def test_a_ranks_axis_climbs_whole_replicas() -> None:
    assert doubling(DIVIDED) == (4,)
    wide = Placement(nodes=2, ranks_per_node=8, data_parallel=8, tensor_parallel=2)
    assert doubling(wide) == (2, 4, 8, 16)
    sweep = swept("{ranks_per_node: 8, tensor_parallel: 2}", "axes: {ranks: {ranks: [2, 4, 8]}}\n")
    assert sweep.rank_ladder is not None
    placed = [placed_on(sweep.placements[0], ranks) for ranks in sweep.rank_ladder.ranks]
    assert [(one.data_parallel, one.tensor_parallel) for one in placed] == [(1, 2), (2, 2), (4, 2)]


def test_a_rung_that_is_no_whole_replica_is_told() -> None:
    (mistake,) = mistakes_of("{ranks_per_node: 8, tensor_parallel: 2}", "axes: {ranks: {ranks: [1, 2]}}\n")
    assert "found 1 ranks" in mistake
    assert "in whole replicas of 2 ranks" in mistake
    with pytest.raises(UsageError, match="3 ranks are no whole replicas"):
        placed_on(Placement(ranks_per_node=4, data_parallel=2, tensor_parallel=2), 3)


def test_a_placement_of_one_replica_has_no_ranks_to_climb() -> None:
    (mistake,) = mistakes_of("{ranks_per_node: 2, tensor_parallel: 2}", "axes: {ranks: {}}\n")
    assert "a placement with one replica of the model" in mistake


def test_more_ranks_may_divide_one_model_further() -> None:
    sweep = swept("{ranks_per_node: 8, pipeline_parallel: 2}", "axes: {ranks: {grows: tensor}}\n")
    ladder = sweep.rank_ladder
    assert ladder == RankLadder(scaling="strong", ranks=(2, 4, 8), grows="tensor")
    assert restore(define(sweep), "d") == sweep
    placed = [placed_on(sweep.placements[0], ranks, ladder.grows) for ranks in ladder.ranks]
    assert [(one.data_parallel, one.tensor_parallel, one.pipeline_parallel) for one in placed] == [
        (1, 1, 2),
        (1, 2, 2),
        (1, 4, 2),
    ]
    assert {ladder.batch_per_rank(3, ranks) for ranks in ladder.ranks} == {3}


def test_a_ranks_axis_of_replicas_is_defined_as_it_always_was() -> None:
    sweep = swept("{ranks_per_node: 4}", "axes: {ranks: {ranks: [1, 2]}}\n")
    assert define(sweep)["axes"]["ranks"] == {"scaling": "weak", "ranks": [1, 2]}


def test_stages_need_as_many_ranks_as_share_a_layer() -> None:
    more = "axes: {ranks: {grows: pipeline, ranks: [2, 3]}}\n"
    (mistake,) = mistakes_of("{ranks_per_node: 4, tensor_parallel: 2}", more)
    assert "found 3 ranks" in mistake
    with pytest.raises(UsageError, match="ranks that divide one model share its batch"):
        RankLadder(scaling="weak", ranks=(1, 2), grows="tensor")


def test_switches_may_be_off_and_other_sizes_are_never_0() -> None:
    sweep = parse_sweep(SMALLEST + "axes: {data: {packed: [0, 1]}}\n", "f.yaml", ["base.data.new_tokens=0"])
    assert [rung["packed"] for rung in sweep.ladders[0].rungs] == [0, 1]
    with pytest.raises(SweepFileError) as caught:
        parse_sweep(SMALLEST, "f.yaml", ["base.data.sequence=0", "base.model.layers=0"])
    assert [mistake.key for mistake in caught.value.mistakes] == ["base.data.sequence", "base.model.layers"]


def test_ranks_that_share_samples_are_read_defined_and_climbed() -> None:
    sweep = swept("{nodes: 2, ranks_per_node: 4, spatial_parallel: 4}")
    (placement,) = sweep.placements
    assert (placement.data_parallel, placement.spatial_parallel) == (2, 4)
    assert define(sweep)["placement"]["spatial_parallel"] == 4
    assert restore(define(sweep), "d") == sweep
    climbing = swept("{ranks_per_node: 8}", "axes: {ranks: {grows: spatial}}\n")
    ladder = climbing.rank_ladder
    assert ladder == RankLadder(scaling="strong", ranks=(1, 2, 4, 8), grows="spatial")
    placed = [placed_on(climbing.placements[0], ranks, ladder.grows) for ranks in ladder.ranks]
    assert [(one.data_parallel, one.spatial_parallel) for one in placed] == [(1, 1), (1, 2), (1, 4), (1, 8)]
    assert restore(define(climbing), "d") == climbing


def test_ranks_that_share_no_whole_samples_are_told() -> None:
    (mistake,) = mistakes_of("{ranks_per_node: 6, spatial_parallel: 4}")
    assert "whole replicas of tensor_parallel x pipeline_parallel x spatial_parallel = 1 x 1 x 4" in mistake
    assert "use multiples of 4 ranks" in mistake
