"""The cache of universes: the same bytes from blocks of any thickness, and strict reading."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cosmology.codec import Codec
from cosmology.crops import coarse_grained
from cosmology.dataset_error import DatasetError
from cosmology.definition import UniverseDefinition
from cosmology.hdf5 import created
from cosmology.packed_size import packed_bytes
from cosmology.stored_counts import chunk_of, create_counts
from cosmology.universe import make_universe
from cosmology.universe_definition import FILE_OVERHEAD_BYTES
from cosmology.universe_file import read_universe, universe_path, write_universe

DEFINITION = UniverseDefinition(seed=3, side=128, num_steps=2, force_mesh_factor=1, redshifts=(0.0, 1.0))


def counts_of(definition: UniverseDefinition) -> np.ndarray:
    """Anything with the right number of particles."""
    side = definition.side
    whole = np.ones((len(definition.redshifts), side, side, side), np.uint16)
    whole[:, 0, 0, 0], whole[:, 0, 0, 1] = 0, 2
    return whole


def blocks_of(counts: np.ndarray, thickness: int) -> Iterator[tuple[int, np.ndarray]]:
    for channel, cube in enumerate(counts):
        for begin in range(0, len(cube), thickness):
            yield channel, cube[begin : begin + thickness]


def written(folder: Path, thickness: int) -> Path:
    path = universe_path(folder, DEFINITION, 7)
    write_universe(path, DEFINITION, 7, blocks_of(counts_of(DEFINITION), thickness), "cpu")
    return path


def test_the_bytes_do_not_depend_on_how_the_universe_was_divided(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", 128)
    assert np.array_equal(read_universe(whole, DEFINITION, 2), counts_of(DEFINITION))
    assert np.array_equal(read_universe(whole, DEFINITION, 1), counts_of(DEFINITION)[:1])
    for thickness in (32, 96):
        divided = written(tmp_path / str(thickness), thickness)
        assert divided.read_bytes() == whole.read_bytes()
        record, other = (path.with_suffix(".json").read_bytes() for path in (divided, whole))
        assert record == other


def test_universes_and_samples_take_no_more_room_than_was_foreseen(tmp_path: Path) -> None:
    definition = UniverseDefinition(seed=3, side=64, num_steps=4, force_mesh_factor=1)
    counts = make_universe(definition, 0).counts
    for coarsening in (1, 2, 4):
        for codec in Codec:
            sample = coarse_grained(counts, coarsening)
            path = tmp_path / f"{coarsening}-{codec}.h5"
            with created(path) as file:
                create_counts(file, (1, *sample.shape), chunk_of(sample.shape), codec)[0] = sample
            foreseen = packed_bytes(sample.size, coarsening)
            assert foreseen / 2 < path.stat().st_size < foreseen + FILE_OVERHEAD_BYTES


def test_missing_planes_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = universe_path(tmp_path, DEFINITION, 7)
    blocks = list(blocks_of(counts_of(DEFINITION), 64))[:-1]
    with pytest.raises(DatasetError, match=r"\[128, 64\] planes .* where 128 are due"):
        write_universe(path, DEFINITION, 7, blocks, "cpu")
    assert list(path.parent.iterdir()) == []


def test_a_universe_without_its_record_is_not_believed(tmp_path: Path) -> None:
    path = written(tmp_path, 128)
    path.with_suffix(".json").unlink()
    with pytest.raises(DatasetError, match=r"universe-000007\.json is missing"):
        read_universe(path, DEFINITION, 2)
