"""Shards: samples as they are given, and records that know them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from crc32c import crc32c

from cosmology.codec import Codec
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.shard import LabelledSample, write_samples
from cosmology.shard_record import read_record, sample_crc32c

LAYOUT = DatasetDefinition(seed=1, num_samples=3, num_universes=1, resolution=8, simulation_side=16)
SAMPLE = LabelledSample(
    counts=np.arange(4 * 8**3, dtype=np.uint16).reshape(4, 8, 8, 8),
    targets=(0.5, -0.25, 0.125, -1.0),
    physical=(0.3, 0.8, 0.96, 70.0),
    seed=2**64 - 1,
    universe=5,
)


@pytest.mark.parametrize("codec", list(Codec))
def test_a_shard_holds_its_samples_with_their_labels(tmp_path: Path, codec: Codec) -> None:
    samples = [replace(SAMPLE, counts=SAMPLE.counts[:, ::-1], universe=row) for row in range(3)]
    record = write_samples(tmp_path / "shard.h5", LAYOUT, 0, samples, "{}", codec)
    assert read_record(tmp_path / "shard.h5") == record
    assert record.file.codec is codec
    with h5py.File(tmp_path / "shard.h5") as file:
        assert np.array_equal(file["full"][2], SAMPLE.counts[:, ::-1])
        assert file["unitPar"][1].tolist() == list(SAMPLE.targets)
        assert file["physPar"][1].tolist() == list(SAMPLE.physical)
        assert file["seed"][0] == SAMPLE.seed
        assert file["universe_id"][:].tolist() == [0, 1, 2]
        assert file.attrs["redshifts"].tolist() == [0.0, 0.5, 1.5, 3.0]
    assert [sum(histogram) for histogram in record.histograms] == [3 * 8**3] * 4


def test_the_checksum_of_a_sample_is_that_of_its_counts_then_its_targets() -> None:
    targets = np.array(SAMPLE.targets, np.float32)
    expected = crc32c(SAMPLE.counts.astype("<u2").tobytes() + targets.astype("<f4").tobytes())
    assert sample_crc32c(SAMPLE.counts, targets) == expected
    assert sample_crc32c(SAMPLE.counts[:, ::-1], targets) != expected


@pytest.mark.parametrize("num_samples", [0, 2, 4])
def test_another_number_of_samples_is_refused_and_nothing_is_left(tmp_path: Path, num_samples: int) -> None:
    with pytest.raises(DatasetError, match=r"3 (samples of uint16 .*)?are due"):
        write_samples(tmp_path / "shard.h5", LAYOUT, 0, [SAMPLE] * num_samples, "{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [SAMPLE.counts[:3], SAMPLE.counts.astype(np.int32)])
def test_samples_of_another_shape_or_type_are_refused(tmp_path: Path, counts: np.ndarray) -> None:
    with pytest.raises(DatasetError, match=r"samples of uint16 \(4, 8, 8, 8\) are due"):
        write_samples(tmp_path / "shard.h5", LAYOUT, 0, [replace(SAMPLE, counts=counts)] * 3, "{}")


def test_a_shard_that_another_writer_finishes_first_is_no_error(tmp_path: Path) -> None:
    def overtaken() -> Iterator[LabelledSample]:
        yield SAMPLE
        write_samples(tmp_path / "shard.h5", LAYOUT, 0, [SAMPLE] * 3, "{}")
        yield from [SAMPLE] * 2

    record = write_samples(tmp_path / "shard.h5", LAYOUT, 0, overtaken(), "{}")
    assert record == read_record(tmp_path / "shard.h5")
    assert {path.name for path in tmp_path.iterdir()} == {"shard.h5", "shard.json"}


def test_samples_that_cannot_be_read_are_named_not_the_shard(tmp_path: Path) -> None:
    def missing() -> Iterator[LabelledSample]:
        yield SAMPLE
        try:
            (tmp_path / "source").read_bytes()
        except FileNotFoundError as error:
            raise DatasetError("the source is missing") from error

    with pytest.raises(DatasetError, match="the source is missing"):
        write_samples(tmp_path / "shard.h5", LAYOUT, 0, missing(), "{}")


def test_a_record_of_another_shard_is_refused(tmp_path: Path) -> None:
    write_samples(tmp_path / "shard.h5", LAYOUT, 0, [SAMPLE] * 3, "{}")
    for suffix in (".h5", ".json"):
        (tmp_path / f"shard{suffix}").rename(tmp_path / f"other{suffix}")
    with pytest.raises(DatasetError, match=r"other\.json is damaged .it is of shard\.h5"):
        read_record(tmp_path / "other.h5")
