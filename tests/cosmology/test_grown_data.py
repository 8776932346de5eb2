"""Grown data sets on disk: splits, coarse samples, listed redshifts, whatever the ranks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosmology.crops import coarse_grained
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, Reuse, Split
from cosmology.generation import complete, seal
from cosmology.parameters import draw_targets

FINE = DatasetDefinition(
    seed=4,
    num_samples=10,
    num_universes=3,
    resolution=16,
    redshifts=(1.0, 0.0),
    simulation_side=16,
    num_steps=3,
    force_mesh_factor=1,
    reuse=Reuse.SYMMETRIES_AND_ROLLS,
)


def samples_of(
    folder: Path, definition: DatasetDefinition, num_ranks: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Counts and targets of all samples, made by so many ranks."""
    for rank in range(num_ranks):
        complete(definition, folder, rank, num_ranks, lambda _: None)
    seal(definition, folder)
    with open_dataset(definition, folder) as dataset:
        return dataset.read(range(definition.num_samples))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grown")


def test_a_validation_set_has_universes_files_and_labels_of_its_own(folder: Path) -> None:
    validation = replace(FINE, split=Split.VALIDATION)
    counts, targets = samples_of(folder, FINE)
    other_counts, other_targets = samples_of(folder, validation)
    for sample in range(FINE.num_samples):
        universe, _ = validation.place_of(sample)
        assert other_targets[sample] == pytest.approx(draw_targets(4, universe), abs=1e-6)
    assert not {tuple(row) for row in targets.tolist()} & {tuple(row) for row in other_targets.tolist()}
    assert not {one.tobytes() for one in counts} & {one.tobytes() for one in other_counts}
    universes = [path.name for path in (folder / f"universes-{FINE.universes.universes_id}").glob("*.h5")]
    assert len(universes) == 6  # both splits, side by side, none shared


def test_coarse_samples_are_cut_from_the_same_files_and_are_the_fine_ones_summed(folder: Path) -> None:
    counts, targets = samples_of(folder, FINE)
    said: list[str] = []
    coarse = FINE.coarsened(2)
    before = sorted((folder / f"universes-{FINE.universes.universes_id}").glob("*.h5"))
    complete(coarse, folder, 0, 1, said.append)
    assert sorted((folder / f"universes-{FINE.universes.universes_id}").glob("*.h5")) == before
    coarse_counts, coarse_targets = samples_of(folder, coarse)
    assert np.array_equal(coarse_targets, targets)
    for one, other in zip(coarse_counts, counts, strict=True):
        assert np.array_equal(one, coarse_grained(other, 2))


def test_grown_data_are_the_same_from_any_number_of_ranks(folder: Path, tmp_path: Path) -> None:
    one, other = samples_of(folder, FINE), samples_of(tmp_path, FINE, num_ranks=2)
    for values, again in zip(one, other, strict=True):
        assert np.array_equal(values, again)


def test_channels_stand_in_the_order_in_which_redshifts_are_listed(folder: Path) -> None:
    counts, _ = samples_of(folder, FINE)
    variances = counts.astype(float).var(axis=(2, 3, 4)).mean(axis=0)
    assert variances[0] < variances[1]  # redshift 1 before today
    assert (counts.sum(axis=(2, 3, 4), dtype=np.int64) == 16**3).all()
