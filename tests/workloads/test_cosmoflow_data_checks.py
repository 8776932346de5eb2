"""Gate G8 on data that were really made: sound ones pass, and each kind of fault is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, Split
from cosmology.generation import complete, seal
from cosmology.layout import dataset_folder
from workloads.cosmoflow.data_checks import check_data
from workloads.cosmoflow.examples import Examples, read_examples

TRAIN = DatasetDefinition(
    seed=3,
    num_samples=8,
    num_universes=8,
    resolution=16,
    redshifts=(0.0, 1.0),
    simulation_side=16,
    num_steps=8,
)
JUDGED = replace(TRAIN, split=Split.VALIDATION, num_samples=2, num_universes=2)
Parts = list[tuple[DatasetDefinition, Examples]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    for definition in (TRAIN, JUDGED):
        complete(definition, path, 0, 1, lambda _text: None)
        seal(definition, path)
    return path


@pytest.fixture
def parts(folder: Path) -> Parts:
    found = []
    for definition in (TRAIN, JUDGED):
        with open_dataset(definition, folder) as dataset:
            found.append((definition, read_examples(dataset)))
    return found


def test_sound_data_pass_with_their_figures(folder: Path, parts: Parts) -> None:
    checks = check_data(folder, parts)
    assert checks.faults == ()
    assert checks.figures["files"] >= 10
    assert checks.figures["shared"] == 0
    assert 0 < checks.figures["growth_deviation"] < 0.2
    assert checks.figures["least_p_value"] > 0.01
    words = "; ".join(checks.checked)
    assert "8 whole boxes hold 16^3 particles" in words
    assert "long waves of 8 whole universes" in words


def test_lost_particles_and_shared_universes_are_told(folder: Path, parts: Parts) -> None:
    (definition, seen), (other, judged) = parts
    counts = seen.counts.copy()
    counts[3, 1, 0, 0, 0] += 1
    checks = check_data(folder, [(definition, replace(seen, counts=counts)), (other, judged)])
    assert checks.faults == ("1 grids have lost or won particles",)
    checks = check_data(folder, [(definition, seen), (other, replace(judged, universes=seen.universes[:2]))])
    assert checks.faults == ("2 universes are learnt from and judge",)


def test_parameters_from_one_corner_are_told(folder: Path, parts: Parts) -> None:
    (definition, seen), judged = parts
    corner = np.abs(seen.targets) / 10 + np.float32(0.8)
    checks = check_data(folder, [(definition, replace(seen, targets=corner)), judged])
    assert any("Omega_m is not spread evenly" in fault for fault in checks.faults)
    assert checks.faults[-1] == "and 1 more faults"


def test_a_damaged_file_is_named(folder: Path, parts: Parts) -> None:
    shard = sorted(dataset_folder(folder, JUDGED).glob("*.h5"))[0]
    whole = shard.read_bytes()
    try:
        shard.write_bytes(whole[:-200] + bytes([whole[-200] ^ 4]) + whole[-199:])
        checks = check_data(folder, parts)
    finally:
        shard.write_bytes(whole)
    assert any(shard.name in fault for fault in checks.faults)
    assert check_data(folder, parts).faults == ()
