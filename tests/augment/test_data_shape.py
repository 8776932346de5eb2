"""How data grows in bytes, and how sizes that people write become numbers of samples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.data import DataShape, bytes_of, least_box, samples_filling, side_of, universes_giving
from augment.problem import ProblemError


def test_the_reference_sample_has_16_8_megabytes() -> None:
    shape = DataShape(samples=524_288, resolution=128, channels=4)
    assert shape.sample_values == 8_388_608
    assert shape.sample_bytes == 16_777_216
    assert shape.dataset_bytes == 524_288 * 16_777_216


def test_twice_the_side_is_eight_times_the_bytes() -> None:
    small = DataShape(samples=3, resolution=16, channels=2)
    large = DataShape(samples=3, resolution=32, channels=2)
    assert large.dataset_bytes == 8 * small.dataset_bytes


@pytest.mark.parametrize(
    ("text", "num_bytes"),
    [
        ("1.6 TB", 1_600_000_000_000),
        ("0.025TB", 25_000_000_000),
        ("64 MiB", 2**26),
        ("1 B", 1),
        ("12 kB", 12_000),
        ("12 KB", 12_000),
        ("3 KiB", 3072),
        (" 9.5 GB ", 9_500_000_000),
        ("0.3 EB", 3 * 10**17),
    ],
)
def test_sizes_are_read_as_they_are_written(text: str, num_bytes: int) -> None:
    assert bytes_of(text) == num_bytes


@pytest.mark.parametrize("text", ["", "1.6", "TB", "-1 TB", "1,6 TB", "1.6 TBit", "1e3 GB", "1 mB", "1" * 60])
def test_what_is_no_size_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(ProblemError, match=r"is no size; write it as '1\.6 TB'"):
        bytes_of(text)


def test_less_than_a_byte_is_refused() -> None:
    with pytest.raises(ProblemError, match="less than a byte"):
        bytes_of("0.2 B")


@given(st.integers(1, 10**18), st.integers(1, 10**12))
def test_a_target_is_reached_by_less_than_one_sample_too_much(target: int, sample_bytes: int) -> None:
    assert 0 <= samples_filling(target, sample_bytes) * sample_bytes - target < sample_bytes


@given(st.integers(1, 10**12), st.sampled_from([1, 8, 64, 512]))
def test_the_fewest_universes_are_enough_and_one_less_is_not(samples: int, crops: int) -> None:
    universes = universes_giving(samples, crops)
    assert universes * crops >= samples > (universes - 1) * crops


@given(st.floats(0.05, 60), st.floats(285, 20_000))
def test_the_least_box_of_stated_voxels_has_a_power_of_two_of_them(voxel: float, least: float) -> None:
    box = least_box(voxel, least)
    side = side_of(box, voxel)
    assert side & (side - 1) == 0
    assert side * voxel == box
    assert least <= box * (1 + 1e-12)
    assert side == 1 or box / 2 < least * (1 + 1e-12)


@pytest.mark.parametrize(
    ("box", "voxel", "message"),
    [
        (300.0, 1.0, "into 300, no power of two; use a voxel of 0.5859375 or 1.171875"),
        (288.0, 500.0, "0.576"),
    ],
)
def test_voxels_that_do_not_halve_a_box_are_refused_with_those_that_do(
    box: float, voxel: float, message: str
) -> None:
    with pytest.raises(ProblemError, match=message):
        side_of(box, voxel)
