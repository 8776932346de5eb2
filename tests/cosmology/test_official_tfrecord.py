"""Official CosmoFlow samples: their layout, in both directions, and what is none."""

from pathlib import Path

import numpy as np
import pytest
from tfrecord.reader import tfrecord_loader
from tfrecord.writer import TFRecordWriter

from cosmology.dataset_error import DatasetError
from cosmology.official_tfrecord import (
    OfficialSample,
    read_official_sample,
    read_official_samples,
    write_official_samples,
)
from cosmology.tfrecord import write_records
from cosmology.tfrecord_example import encode_example

TARGETS = np.array([0.25, -1.0, 1.0, 0.1], np.float32)


def some_sample(seed: int = 1, side: int = 8, num_channels: int = 4) -> OfficialSample:
    counts = np.random.default_rng(seed).poisson(3, (num_channels, *(side,) * 3)).astype(np.uint16)
    return OfficialSample(counts=counts, targets=TARGETS)


def write_message(path: Path, content: bytes, targets: np.ndarray = TARGETS) -> Path:
    write_records(path, [encode_example("x", memoryview(content), "y", targets)], gzip_level=None)
    return path


@pytest.mark.parametrize("level", [None, 6])
def test_samples_that_are_written_are_read(tmp_path: Path, level: int | None) -> None:
    samples = [some_sample(1), some_sample(2)]
    write_official_samples(tmp_path / "two.tfrecord", samples, gzip_level=level)
    found = list(read_official_samples(tmp_path / "two.tfrecord"))
    assert len(found) == 2
    for sample, expected in zip(found, samples, strict=True):
        assert np.array_equal(sample.counts, expected.counts)
        assert np.array_equal(sample.targets, expected.targets)


@pytest.mark.parametrize("level", [None, 6])
def test_the_layout_is_that_of_the_reference(tmp_path: Path, level: int | None) -> None:
    sample, path = some_sample(), tmp_path / "one.tfrecord"
    write_official_samples(path, [sample], gzip_level=level)
    packing = None if level is None else "gzip"
    (found,) = tfrecord_loader(str(path), None, {"x": "byte", "y": "float"}, compression_type=packing)
    x = np.frombuffer(found["x"], np.int16).reshape(8, 8, 8, 4)
    assert np.array_equal(np.moveaxis(x, -1, 0), sample.counts)
    assert np.array_equal(found["y"], TARGETS)


def test_files_of_another_writer_are_read(tmp_path: Path) -> None:
    x = np.random.default_rng(3).poisson(1, (8, 8, 8, 4)).astype(np.int16)
    x[0, 0, 0, 0] = -1  # 65535 in the 16 bits that were counted in
    writer = TFRecordWriter(str(tmp_path / "theirs.tfrecord"))
    writer.write({"x": (x.tobytes(), "byte"), "y": (TARGETS.tolist(), "float")})
    writer.close()
    sample = read_official_sample(tmp_path / "theirs.tfrecord")
    assert sample.counts[0, 0, 0, 0] == 65535
    assert np.array_equal(sample.counts, np.moveaxis(x, -1, 0).view(np.uint16))
    assert sample.targets == pytest.approx(TARGETS)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([0.1, 0.2, 0.3], r"\[0.1, 0.2, 0.3\], not 4 numbers"),
        ([0.1, 0.2, 0.3, 70.0], "from -1 to 1"),
        ([0.1, np.nan, 0.3, 0.4], "nan"),
    ],
)
def test_targets_that_are_none_are_refused(tmp_path: Path, targets: list[float], words: str) -> None:
    path = write_message(tmp_path / "bad.tfrecord", bytes(4096), np.array(targets, np.float32))
    with pytest.raises(DatasetError, match=words):
        read_official_sample(path)


@pytest.mark.parametrize("num_bytes", [0, 4095, 4098, 8192])
def test_bytes_that_are_no_cube_are_refused(tmp_path: Path, num_bytes: int) -> None:
    path = write_message(tmp_path / "odd.tfrecord", bytes(num_bytes))
    with pytest.raises(DatasetError, match=f"{num_bytes} bytes of counts.*say how many channels"):
        read_official_sample(path)


def test_the_number_of_channels_decides_the_side(tmp_path: Path) -> None:
    write_official_samples(tmp_path / "one.tfrecord", [some_sample(num_channels=1, side=16)])
    assert read_official_sample(tmp_path / "one.tfrecord", num_channels=1).counts.shape == (1, 16, 16, 16)
    with pytest.raises(DatasetError, match="no cube of 4 channels"):
        read_official_sample(tmp_path / "one.tfrecord")


def test_other_features_are_no_samples(tmp_path: Path) -> None:
    records = [encode_example("image", memoryview(b"cat"), "y", TARGETS)]
    write_records(tmp_path / "cats.tfrecord", records, gzip_level=None)
    with pytest.raises(DatasetError, match="has no 'x' of bytes"):
        read_official_sample(tmp_path / "cats.tfrecord")


@pytest.mark.parametrize(("num_samples", "words"), [(0, "no sample"), (2, "several samples")])
def test_one_sample_a_file_is_meant(tmp_path: Path, num_samples: int, words: str) -> None:
    write_official_samples(tmp_path / "some.tfrecord", [some_sample()] * num_samples)
    with pytest.raises(DatasetError, match=words):
        read_official_sample(tmp_path / "some.tfrecord")


def test_counts_that_its_readers_would_take_for_negative_are_not_written(tmp_path: Path) -> None:
    crowded = OfficialSample(counts=np.full((4, 8, 8, 8), 32768, np.uint16), targets=TARGETS)
    with pytest.raises(DatasetError, match=r"a voxel holds 32768 particles.*32767; export a finer"):
        write_official_samples(tmp_path / "crowded.tfrecord", [crowded])
    assert list(tmp_path.iterdir()) == []
