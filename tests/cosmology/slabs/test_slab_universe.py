"""Universes and data sets of groups of ranks: the bits and bytes of one rank."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.forked_ranks import on_ranks
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, UniverseDefinition
from cosmology.generation import complete, seal
from cosmology.slabs.memory import rank_memory_bytes
from cosmology.universe import make_universe
from tests.cosmology.slabs.slab_work import data_set, failing_leader, silent, universes

pytestmark = pytest.mark.slow
UNIVERSES = [
    UniverseDefinition(seed=4, side=16, num_steps=5, force_mesh_factor=1, redshifts=(0.0, 2.0)),
    UniverseDefinition(seed=5, side=16, num_steps=3, force_mesh_factor=2, redshifts=(3.0, 0.0, 0.5)),
    UniverseDefinition(seed=6, side=8, num_steps=3, force_mesh_factor=3, redshifts=(0.0,)),
    UniverseDefinition(seed=7, side=32, num_steps=3, force_mesh_factor=2, redshifts=(0.0,)),
]
DATA = DatasetDefinition(
    seed=11,
    num_samples=10,
    num_universes=3,
    resolution=8,
    redshifts=(0.0, 0.5),
    simulation_side=16,
    num_steps=4,
    force_mesh_factor=1,
)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_a_universe_of_any_number_of_ranks_has_the_bits_of_one(num_ranks: int, tmp_path: Path) -> None:
    found = on_ranks(num_ranks, tmp_path, universes, UNIVERSES)[0]
    for definition, counts in zip(UNIVERSES, found, strict=True):
        assert np.array_equal(counts, make_universe(definition, 3).counts), definition


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    complete(DATA, folder, 0, 1, silent)
    return folder


@pytest.mark.parametrize("num_ranks", [3, 4])
def test_groups_make_the_bytes_that_one_rank_makes(num_ranks: int, alone: Path, tmp_path: Path) -> None:
    memory_bytes = rank_memory_bytes(DATA.universes, 2)
    told = on_ranks(num_ranks, tmp_path / "meeting", data_set, DATA, tmp_path / "data", memory_bytes)
    assert digests(tmp_path / "data") == digests(alone)
    assert any("is ready" in text and "on ranks 0 to 1" in text for text in told[0])
    assert sum("is ready" in text for each in told for text in each) == DATA.num_universes
    for each in told[:2]:
        steps = [text for text in each if "step" in text]
        assert steps[:2] == ["universe 000000: step 1 of 4", "universe 000000: step 2 of 4"]
    if num_ranks == 3:
        assert told[2] == ["rank 2 has no part: universes take 2 ranks each, of 3"]
    seal(DATA, tmp_path / "data")
    with open_dataset(DATA, tmp_path / "data") as dataset:
        assert len(dataset) == DATA.num_samples


def test_a_leader_that_fails_lets_the_others_go_with_an_error(tmp_path: Path) -> None:
    found = on_ranks(2, tmp_path, failing_leader, UNIVERSES[2])
    assert found[0] == "OSError: no space left"
    assert found[1].startswith("DatasetError: the rank that leads this one could not go on")
