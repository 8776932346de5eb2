import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmology.architecture import (
    REFERENCE,
    Architecture,
    ArchitectureError,
    Checkpointing,
    Normalisation,
    Recipe,
    num_stages,
)


@st.composite
def members(draw: st.DrawFn) -> Architecture:
    resolution = 2 ** draw(st.integers(3, 9))
    num = num_stages(resolution)
    return Architecture(
        resolution=resolution,
        channels=draw(st.integers(1, 4)),
        stage_channels=tuple(draw(st.lists(st.integers(1, 64), min_size=num, max_size=num))),
        residuals_per_stage=draw(st.integers(0, 4)),
        normalisation=draw(st.sampled_from(Normalisation)),
        checkpointing=draw(st.sampled_from(Checkpointing)),
    )


def test_the_reference_has_the_published_layers_and_parameters() -> None:
    layers = [(layer.side, layer.in_channels, layer.out_channels) for layer in REFERENCE.convolutions]
    assert layers == [(128, 4, 32), (64, 32, 64), (32, 64, 128), (16, 128, 256), (8, 256, 512)]
    assert [layer.num_parameters for layer in REFERENCE.convolutions] == [
        3_488,
        55_360,
        221_312,
        884_992,
        3_539_456,
    ]
    assert sum(layer.num_parameters for layer in REFERENCE.dense_layers) == 4_202_948
    assert REFERENCE.num_parameters == 8_907_556


@given(members())
def test_every_member_chains_its_layers_down_to_four_voxels(architecture: Architecture) -> None:
    layers = architecture.convolutions
    assert layers[0].in_channels == architecture.channels
    assert layers[0].side == architecture.resolution
    assert layers[-1].side // 2 == 4
    for before, after in pairwise(layers):
        assert after.in_channels == before.out_channels
        assert after.side == before.side // (1 if after.residual else 2)
    features = architecture.dense_layers
    assert features[0].in_features == 64 * layers[-1].out_channels
    assert [layer.out_features for layer in features] == [128, 64, 4]


@given(members())
def test_the_branches_together_keep_the_scale_of_one(architecture: Architecture) -> None:
    residuals = sum(layer.residual > 0 for layer in architecture.convolutions)
    assert residuals == architecture.num_residuals
    assert math.isclose(max(1, residuals) * architecture.branch_scale**2, 1)


@given(members())
def test_only_the_reference_member_follows_the_reference_recipe(architecture: Architecture) -> None:
    kept = replace(architecture, checkpointing=Checkpointing.NONE)
    assert (architecture.recipe is Recipe.REFERENCE) == (kept == REFERENCE)


def test_the_reference_member_is_recognised_by_value() -> None:
    twin = Architecture(resolution=128, channels=4, stage_channels=(32, 64, 128, 256, 512))
    assert twin.recipe is Recipe.REFERENCE
    assert replace(twin, checkpointing=Checkpointing.STAGES).recipe is Recipe.REFERENCE
    assert replace(twin, normalisation=Normalisation.GROUP).recipe is Recipe.SCALED


@pytest.mark.parametrize(("resolution", "use"), [(0, "8"), (7, "8"), (33, "32, 64"), (96, "64, 128")])
def test_a_resolution_that_cannot_be_halved_to_four_is_refused(resolution: int, use: str) -> None:
    with pytest.raises(ArchitectureError, match=rf"resolution {resolution} is not .*Use {use}\."):
        num_stages(resolution)


def test_a_wrong_number_of_stages_is_refused_with_the_right_one() -> None:
    with pytest.raises(ArchitectureError, match=r"2 stages for 32\^3 voxels; 3 stages"):
        Architecture(resolution=32, channels=4, stage_channels=(8, 16))


@pytest.mark.parametrize(
    ("channels", "stage_channels", "residuals"), [(0, (8,), 0), (1, (0,), 0), (1, (8,), -1)]
)
def test_sizes_that_cannot_exist_are_refused(
    channels: int, stage_channels: tuple[int, ...], residuals: int
) -> None:
    with pytest.raises(ArchitectureError, match="cannot exist"):
        Architecture(
            resolution=8, channels=channels, stage_channels=stage_channels, residuals_per_stage=residuals
        )
