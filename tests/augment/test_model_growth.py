from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.model import CHANNEL_CAP, residuals_per_stage, stage_channels
from augment.problem import ProblemError


def test_the_reference_doubles_from_32_to_512() -> None:
    assert stage_channels(32, 5) == (32, 64, 128, 256, 512)


@given(st.integers(1, 512), st.integers(1, 10))
def test_channels_double_until_the_cap(width: int, num_stages: int) -> None:
    channels = stage_channels(width, num_stages)
    assert len(channels) == num_stages
    assert channels[0] == width
    for before, after in pairwise(channels):
        assert after == min(2 * before, CHANNEL_CAP * width)


@given(st.integers(1, 64), st.integers(1, 10), st.integers(1, 8))
def test_width_scales_every_stage_alike(width: int, num_stages: int, factor: int) -> None:
    scaled = tuple(factor * channels for channels in stage_channels(width, num_stages))
    assert stage_channels(factor * width, num_stages) == scaled


@pytest.mark.parametrize(("width", "num_stages"), [(0, 3), (-1, 3), (8, 0)])
def test_no_width_or_no_stage_is_refused(width: int, num_stages: int) -> None:
    with pytest.raises(ProblemError, match=f"width {width} in {num_stages} stages"):
        stage_channels(width, num_stages)


def test_depth_one_adds_nothing_and_each_more_adds_one() -> None:
    assert [residuals_per_stage(depth) for depth in (1, 2, 5)] == [0, 1, 4]


def test_no_depth_is_refused() -> None:
    with pytest.raises(ProblemError, match="depth 0"):
        residuals_per_stage(0)
