from augment.data import DataShape


def test_the_reference_sample_has_16_8_megabytes() -> None:
    shape = DataShape(samples=524_288, resolution=128, channels=4)
    assert shape.sample_values == 8_388_608
    assert shape.sample_bytes == 16_777_216
    assert shape.dataset_bytes == 524_288 * 16_777_216


def test_twice_the_side_is_eight_times_the_bytes() -> None:
    small = DataShape(samples=3, resolution=16, channels=2)
    large = DataShape(samples=3, resolution=32, channels=2)
    assert large.dataset_bytes == 8 * small.dataset_bytes
