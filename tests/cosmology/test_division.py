"""Ranks that share a sample: which planes each works on, and for how many stages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmology.architecture import Architecture, ArchitectureError, num_stages
from cosmology.division import SampleDivision, most_ranks

RESOLUTIONS = st.sampled_from([8, 16, 32, 64, 128, 512, 1024])


def network(resolution: int) -> Architecture:
    return Architecture(
        resolution=resolution, channels=4, stage_channels=tuple(range(1, 1 + num_stages(resolution)))
    )


@given(RESOLUTIONS, st.integers(0, 9))
def test_slabs_of_a_divided_stage_make_its_grid_and_can_be_pooled(resolution: int, power: int) -> None:
    ranks = min(2**power, most_ranks(resolution))
    division = SampleDivision(architecture=network(resolution), num_ranks=ranks)
    stages = range(len(division.architecture.stage_channels))
    divided = [division.is_divided(stage) for stage in stages]
    assert divided == sorted(divided, reverse=True)  # none is divided again once slabs are gathered
    assert division.num_divided_stages == sum(divided)
    for stage in stages:
        side = resolution >> stage
        if divided[stage]:
            assert ranks * division.planes(stage) == side
            assert division.planes(stage) % 2 == 0
        else:
            assert division.planes(stage) == side


@given(RESOLUTIONS)
def test_some_stage_is_divided_among_every_crew_and_none_of_a_single_rank(resolution: int) -> None:
    assert SampleDivision(architecture=network(resolution), num_ranks=2).num_divided_stages >= 1
    most = SampleDivision(architecture=network(resolution), num_ranks=most_ranks(resolution))
    assert most.num_divided_stages == 1
    alone = SampleDivision(architecture=network(resolution))
    assert alone.is_whole
    assert alone.num_divided_stages == 0


def test_eight_ranks_share_all_but_the_last_stage_of_the_reference() -> None:
    division = SampleDivision(architecture=network(128), num_ranks=8)
    assert [division.planes(stage) for stage in range(5)] == [16, 8, 4, 2, 8]


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        (3, "3 ranks cannot share 16 planes evenly; give one of 1, 2, 4, 8"),
        (16, "16 ranks cannot share 16 planes: each needs 2; give 1 to 8"),
        (0, "0 ranks cannot share 16 planes"),
    ],
)
def test_ranks_that_cannot_share_a_grid_are_refused_with_those_that_can(ranks: int, told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        SampleDivision(architecture=network(16), num_ranks=ranks)
