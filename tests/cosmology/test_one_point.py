"""The one-point law of universes against the stored one."""

import numpy as np
import pytest

from cosmology.definition import UniverseDefinition
from cosmology.one_point import MOST_COUNTS, one_point, shares_of, stored_law
from cosmology.one_point_law import STORED, StoredLaw

LAW = STORED[0]


def histograms_of(law: StoredLaw) -> list[np.ndarray]:
    """Histograms of 10^6 voxels that have the stored shares."""
    found = []
    for shares in law.means:
        histogram = np.zeros(100, np.int64)
        below = np.round(np.diff([0, *shares, 1]) * 10**6).astype(np.int64)
        for most, voxels in zip((*MOST_COUNTS, 99), below, strict=True):
            histogram[most] = voxels
        found.append(histogram)
    return found


def test_shares_count_voxels_of_at_most_so_many_particles() -> None:
    histogram = np.array([5, 1, 1, 1, 0, 1, 0, 0, 0, 0, 1])
    assert shares_of(histogram) == (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@pytest.mark.parametrize("num_universes", [1, 100])
def test_the_stored_shares_depart_from_themselves_by_nothing(num_universes: int) -> None:
    found = one_point(histograms_of(LAW), LAW, num_universes)
    assert [channel.redshift for channel in found] == [0.0, 0.5, 1.5, 3.0]
    assert max(channel.departure for channel in found) < 0.1


def test_data_without_clustering_or_of_another_redshift_depart_widely() -> None:
    poisson = np.array([0.3679, 0.3679, 0.1839, 0.0613, 0.0153, 0.0031, 0.0006]) * 10**6
    assert one_point([poisson.astype(np.int64)], LAW, 8)[0].departure > 10
    today, *_, early = histograms_of(LAW)
    assert one_point([early], LAW, 8)[0].departure > 10
    assert one_point([today], LAW, 8)[0].departure < 0.1


def test_laws_are_stored_for_universes_as_they_are_by_default_and_no_others() -> None:
    assert stored_law(UniverseDefinition(seed=77, side=64)) is LAW
    for other in ({"num_steps": 10}, {"force_mesh_factor": 1}, {"base_box_mpc_per_h": 512.0}, {"side": 32}):
        sizes = {"seed": 0, "side": 64, **other}
        assert stored_law(UniverseDefinition(**sizes)) is None  # type: ignore[arg-type]  # numbers of two kinds
