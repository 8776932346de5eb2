"""The ranks axis of a sweep file: read strictly, chosen by --axis, and named."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.config.definition import define, restore
from saih.config.mistake import SweepFileError
from saih.config.preset import PRESETS, preset_sweep
from saih.config.rank_axis import doubling
from saih.config.sweep_file import parse_sweep, with_axes
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.scaling import RankLadder, placed_on
from saih.domain.sweep import Sweep

SMALLEST = """name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1}
  model: {depth: 1, width: 4}
"""
LADDERS = SMALLEST + "axes: {data: {resolution: [16, 32]}, ranks: {scaling: strong, ranks: [1, 2, 4]}}\n"


def swept(axes: str, placement: str = "{nodes: 2, ranks_per_node: 2}") -> Sweep:
    return parse_sweep(f"{SMALLEST}axes: {axes}\nplacement: {placement}\n", "f.yaml")


def mistakes_of(axes: str, placement: str = "{nodes: 2, ranks_per_node: 2}") -> tuple[str, ...]:
    with pytest.raises(SweepFileError) as caught:
        swept(axes, placement)
    return tuple(str(mistake) for mistake in caught.value.mistakes)


def test_the_ranks_axis_reaches_the_sweep() -> None:
    sweep = swept("{ranks: {scaling: strong, ranks: [1, 2, 4]}}")
    assert sweep.rank_ladder == RankLadder(scaling="strong", ranks=(1, 2, 4))
    assert sweep.ladders == ()
    assert sweep.placements == (Placement(nodes=2, ranks_per_node=2, data_parallel=4),)


def test_without_a_ranks_axis_a_sweep_has_none() -> None:
    assert parse_sweep(SMALLEST, "f.yaml").rank_ladder is None
    assert swept("{data: {resolution: [16]}}").rank_ladder is None


@pytest.mark.parametrize("axis", ["{}", "{scaling: weak}", ""])
def test_an_axis_that_leaves_its_ranks_to_the_placement_doubles_them(axis: str) -> None:
    sweep = swept(f"{{ranks: {axis}}}", "{nodes: 3, ranks_per_node: 4}")
    assert sweep.rank_ladder == RankLadder(scaling="weak", ranks=(1, 2, 4, 8, 12))


@pytest.mark.parametrize(
    ("axis", "told"),
    [
        ("{scaling: string}", "did you mean strong?"),
        ("{scale: strong}", "did you mean scaling?"),
        ("{ranks: []}", "axes.ranks.ranks: found an empty list"),
        ("{ranks: 4}", "write it as [1, 2, 4]"),
        ("{ranks: [1, 2.5]}", "found 2.5"),
        ("{ranks: [0, 2]}", "found 0, expected a whole number of 1"),
        ("{ranks: [1, NO]}", "found NO"),
        ("{ranks: [2, 1]}", "found [2, 1], expected numbers that grow; write it as [1, 2]"),
        ("{ranks: [2, 2]}", "write it as [2]"),
        ("{ranks: [1, 3]}", "found 3 ranks, expected ranks that fill nodes of placement.ranks_per_node (2)"),
        ("[1, 2]", "found a list of 2"),
    ],
)
def test_an_axis_that_cannot_be_climbed_is_told(axis: str, told: str) -> None:
    mistakes = mistakes_of(f"{{ranks: {axis}}}")
    assert len(mistakes) == 1
    assert mistakes[0].startswith("f.yaml:6:")
    assert told in mistakes[0]


def test_the_mistakes_of_an_axis_are_told_with_those_of_the_rest() -> None:
    mistakes = mistakes_of(
        "{rank: {}, ranks: {scaling: x, ranks: [4, -1]}}",
        "{ranks_per_node: 0, bind: core, gpus_per_rank: 65}",
    )
    assert len(mistakes) == 6
    assert "did you mean ranks?" in mistakes[0]


def test_one_placement_only_has_a_ranks_axis() -> None:
    (mistake,) = mistakes_of("{ranks: {}}", "[{ranks_per_node: 2}, {ranks_per_node: 4}]")
    assert "found 2 placements (1 node x 2 ranks x 1 thread (cpu); 1 node x 4" in mistake
    assert "expected one placement" in mistake


@pytest.mark.parametrize("axis", ["{}", "{scaling: strong}"])
def test_an_axis_without_ranks_on_a_placement_of_one_is_told(axis: str) -> None:
    (mistake,) = mistakes_of(f"{{ranks: {axis}}}", "{}")
    assert "found no list of ranks, and a placement with one rank" in mistake
    assert "write ranks: [1, 2, 4]" in mistake
    assert len(mistakes_of("{ranks: {ranks: []}}", "{}")) == 1


def test_the_rungs_of_ranks_are_counted_before_they_are_expanded() -> None:
    sizes = ", ".join(str(size) for size in range(1, 1001))
    (mistake,) = mistakes_of(
        f"{{data: {{samples: [{sizes}]}}, ranks: {{ranks: [{sizes}]}}}}", "{ranks_per_node: 4096}"
    )
    assert "1000000 points (1000 x 1 x 1000), expected at most 100000" in mistake


def test_placements_bind_and_take_several_gpus() -> None:
    sweep = swept("{}", "{device: cuda, ranks_per_node: 2, gpus_per_rank: 2, binding: core}")
    assert sweep.placements[0].gpus_per_node == 4
    assert sweep.placements[0].binding == "core"


@pytest.mark.parametrize("exchange", ["none", "ddp", "horovod"])
def test_every_exchange_reaches_the_sweep(exchange: str) -> None:
    assert parse_sweep(SMALLEST + f"run: {{exchange: {exchange}}}\n", "f").exchange == exchange


@pytest.mark.parametrize(("preset", "most"), [("laptop", 2), ("node", 4), ("cluster", 64)])
def test_presets_climb_ranks_when_asked_and_only_then(preset: str, most: int) -> None:
    sweep = preset_sweep(preset)
    assert sweep.rank_ladder is None
    assert with_axes(sweep, ("data", "model")) == sweep
    alone = with_axes(sweep, ("ranks",))
    assert (alone.name, alone.ladders) == (f"{preset}-ranks", ())
    assert alone.rank_ladder is not None
    assert alone.rank_ladder.ranks == tuple(2**power for power in range(most.bit_length()))
    whole = with_axes(sweep, ("ranks", "model", "data"))
    assert (whole.name, whole.ladders) == (f"{preset}-data-model-ranks", sweep.ladders)


def test_the_presets_are_all_tried() -> None:
    own = {"laptop", "node", "cluster", "energon", "galaxy", "iso", "ladder", "official", "share-of-peak"}
    assert set(PRESETS) == own
    with pytest.raises(UsageError, match="one replica of the model only"):
        with_axes(preset_sweep("energon"), ("ranks",))


def test_a_file_with_a_ranks_axis_climbs_it_unless_another_is_asked_for() -> None:
    sweep = parse_sweep(LADDERS + "placement: {ranks_per_node: 4}\n", "f.yaml")
    assert with_axes(sweep, ("data", "ranks")) == sweep
    ranks = with_axes(sweep, ("ranks",))
    assert (ranks.name, ranks.ladders, ranks.rank_ladder) == ("tiny-ranks", (), sweep.rank_ladder)
    data = with_axes(sweep, ("data",))
    assert (data.name, data.ladders, data.rank_ladder) == ("tiny-data", sweep.ladders, None)


def test_a_derived_sweep_goes_on_from_its_stored_definition() -> None:
    ranks = with_axes(preset_sweep("cluster"), ("model", "ranks"))
    assert restore(define(ranks), "x") == ranks


def test_overrides_make_and_change_a_ranks_axis() -> None:
    sweep = preset_sweep("laptop", ["axes.ranks.scaling=throughput", "axes.ranks.ranks=[2]"])
    assert sweep.rank_ladder == RankLadder(scaling="throughput", ranks=(2,))
    assert with_axes(sweep, ("data", "model")).name == "laptop-data-model"


@pytest.mark.parametrize(
    ("placements", "told"),
    [((Placement(),), "one rank only"), ((Placement(), Placement(threads_per_rank=2)), "has 2")],
)
def test_a_sweep_that_cannot_climb_ranks_says_why(placements: tuple[Placement, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told) as caught:
        with_axes(replace(parse_sweep(SMALLEST, "f"), placements=placements), ("ranks",))
    assert caught.value.remedy


def test_an_unknown_axis_is_told_with_the_ranks_axis() -> None:
    with pytest.raises(UsageError, match="did you mean ranks"):
        with_axes(preset_sweep("laptop"), ("rank",))


@given(nodes=st.integers(1, 5000), per_node=st.integers(1, 300))
def test_doubling_grows_to_the_whole_placement_and_fills_nodes(nodes: int, per_node: int) -> None:
    placement = Placement(nodes=nodes, ranks_per_node=per_node, data_parallel=nodes * per_node)
    rungs = doubling(placement)
    assert (rungs[0], rungs[-1]) == (1, placement.num_ranks)
    assert list(rungs) == sorted(set(rungs))
    assert [placed_on(placement, ranks).num_ranks for ranks in rungs] == list(rungs)
