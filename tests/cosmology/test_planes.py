"""Samples in chunks of planes: parts of them, several readers at once, and files that were cut otherwise."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosmology.codec import Codec
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetError
from cosmology.hdf5 import naming_damage, open_file, opened
from cosmology.stored_counts import StoredCounts, chunk_of, chunks_of, create_counts
from tests.cosmology.dataset_by_hand import DEFINITION, flip_bit, generate

SHAPE = (3, 2, 16, 16, 16)
CHUNKS = [(1, 2, 16, 16, 16), (1, 2, 4, 16, 16), (1, 1, 8, 16, 16), (1, 2, 8, 8, 8)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("made"))


def counts() -> np.ndarray:
    return np.random.default_rng(1).poisson(1.0, SHAPE).astype(np.uint16)


def written(path: Path, chunk: tuple[int, ...], codec: Codec) -> Path:
    with h5py.File(path, "w") as file:
        create_counts(file, SHAPE, chunk, codec)[...] = counts()
    return path


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("chunk", CHUNKS, ids=str)
@pytest.mark.parametrize("planes", [(0, 16), (0, 4), (4, 8), (3, 13), (15, 16)])
def test_planes_are_those_of_the_whole(
    tmp_path: Path, chunk: tuple[int, ...], codec: Codec, planes: tuple[int, int]
) -> None:
    begin, end = planes
    with opened(written(tmp_path / "file.h5", chunk, codec)) as file:
        stored = StoredCounts(file["full"])
        for row in range(SHAPE[0]):
            into = np.full((2, end - begin, 16, 16), 7, np.uint16)
            stored.read(row, into, planes)
            assert np.array_equal(into, counts()[row, :, begin:end])


def halves(path: Path) -> None:
    with open_file(path) as file, naming_damage(path):
        stored = StoredCounts(file["full"])
        for row in range(SHAPE[0]):
            for planes in ((0, 8), (8, 16)):
                stored.read(row, np.empty((2, 8, 16, 16), np.uint16), planes)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_a_flipped_bit_is_found_in_planes_too(tmp_path: Path, codec: Codec, place: float) -> None:
    path = written(tmp_path / "file.h5", (1, 2, 4, 16, 16), codec)
    with open_file(path) as file:
        chunk = file["full"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + int(place * chunk.size)] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"file\.h5"):
        halves(path)


@pytest.mark.parametrize(
    ("side", "planes"), [(16, 16), (64, 64), (128, 128), (256, 8), (512, 2), (1024, 1), (2048, 1)]
)
def test_samples_above_16_mib_are_cut_into_planes_of_at_most_4_mib_where_one_fits(
    side: int, planes: int
) -> None:
    assert chunk_of((4, side, side, side)) == (1, 4, planes, side, side)


def test_samples_cut_as_before_are_read() -> None:
    assert (1, 4, 128, 128, 128) in chunks_of((4, 128, 128, 128))
    assert (1, 4, 256, 256, 256) in chunks_of((4, 512, 512, 512))
    assert chunks_of((4, 64, 64, 64)) == ((1, 4, 64, 64, 64),) * 2


def test_a_data_set_gives_planes_of_its_samples_and_refuses_others(made: Path) -> None:
    side = DEFINITION.resolution
    with open_dataset(DEFINITION, made) as dataset:
        whole, targets = dataset.read([3, 0])
        some, same = dataset.read([3, 0], (1, side // 2))
        assert np.array_equal(some, whole[:, :, 1 : side // 2])
        assert np.array_equal(targets, same)
        for planes in ((0, side + 1), (-1, 2), (2, 2)):
            with pytest.raises(DatasetError, match="planes"):
                dataset.read([0], planes)


def test_many_threads_read_at_once_though_few_files_may_be_open(made: Path) -> None:
    with open_dataset(DEFINITION, made, max_open_shards=1) as dataset:
        expected = dataset.read(range(len(dataset)))[0]
        with ThreadPoolExecutor(4) as pool:
            orders = [np.random.default_rng(seed).permutation(len(dataset)) for seed in range(24)]
            found = list(pool.map(lambda order: dataset.read(order)[0], orders))
    for order, counts_read in zip(orders, found, strict=True):
        assert np.array_equal(counts_read, expected[order])


def test_damage_of_a_whole_sample_is_found_by_the_manifest_alone(made: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    path = next(copy.rglob("shard-*.h5"))
    with open_file(path) as file:
        chunk = file["full"].id.get_chunk_info(0)
    flip_bit(path, chunk.byte_offset + chunk.size // 2)
    with open_dataset(DEFINITION, copy) as dataset, pytest.raises(DatasetError, match="damaged"):
        dataset.read(range(len(dataset)))
