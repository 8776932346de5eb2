"""Definitions, parameters and whole universes."""

import hashlib

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from cosmology.definition import REDSHIFTS, DatasetDefinition, DatasetError, Reuse, UniverseDefinition
from cosmology.parameters import Parameters, box_mpc_per_h, draw_targets, parameters_of
from cosmology.universe import make_universe, simulate_counts

SMALL = UniverseDefinition(seed=1, side=32, num_steps=4, force_mesh_factor=1)


def definition_of(**changes: object) -> DatasetDefinition:
    sizes: dict[str, object] = {
        "seed": 1,
        "num_samples": 8,
        "num_universes": 4,
        "resolution": 16,
        "simulation_side": 32,
        **changes,
    }
    return DatasetDefinition(**sizes)  # type: ignore[arg-type]  # wrong types are what some tests pass


def test_targets_are_uniform_and_independent_of_each_other() -> None:
    drawn = np.array([draw_targets(7, universe) for universe in range(2000)])
    for axis in range(4):
        assert kstest(drawn[:, axis], "uniform", args=(-1, 2)).pvalue > 0.01
    correlations = np.corrcoef(drawn.T) - np.eye(4)
    assert np.abs(correlations).max() < 0.08


def test_targets_are_a_pure_function_of_seed_and_universe() -> None:
    assert draw_targets(3, 5) == draw_targets(3, 5)
    assert draw_targets(3, 5) != draw_targets(3, 6)
    assert draw_targets(3, 5) != draw_targets(4, 5)


def test_parameters_span_ten_per_cent_about_the_centres() -> None:
    assert parameters_of((0, 0, 0, 0)).physical == (0.30, 0.80, 0.96, 70.0)
    assert parameters_of((1, -1, 1, -1)).physical == pytest.approx((0.33, 0.72, 1.056, 63.0))


@pytest.mark.parametrize("side", [8, 64, 256, 512])
def test_the_box_is_fixed_in_megaparsec_and_never_small(side: int) -> None:
    definition = UniverseDefinition(seed=0, side=side, num_steps=4, force_mesh_factor=1)
    boxes = {}
    for u in (-1.0, 0.0, 1.0):
        parameters = parameters_of((0, 0, 0, u))
        boxes[u] = box_mpc_per_h(definition.base_box_mpc_per_h, parameters)
        assert boxes[u] >= 256
        assert boxes[u] / parameters.little_h == pytest.approx(
            boxes[0.0] / 0.7 if u > -1 else boxes[u] / 0.63
        )
    assert boxes[1.0] / boxes[-1.0] == pytest.approx(77 / 63)


def test_every_channel_holds_every_particle_and_has_no_mean_overdensity() -> None:
    universe = make_universe(SMALL, 0)
    assert universe.counts.shape == (4, 32, 32, 32)
    assert universe.counts.dtype == np.uint16
    assert (universe.counts.sum(axis=(1, 2, 3), dtype=np.int64) == 32**3).all()


def test_structure_grows_with_time() -> None:
    """Channels run from today to redshift 3, so their variance falls."""
    variances = make_universe(SMALL, 0).counts.astype(float).var(axis=(1, 2, 3))
    assert list(variances) == sorted(variances, reverse=True)
    assert variances[0] > 1.5 * variances[3]


@pytest.mark.parametrize("force_mesh_factor", [1, 2])
def test_threads_do_not_change_a_bit(force_mesh_factor: int) -> None:
    definition = UniverseDefinition(seed=2, side=32, num_steps=6, force_mesh_factor=force_mesh_factor)
    digests = set()
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        digests.add(hashlib.sha256(make_universe(definition, 3).counts.tobytes()).hexdigest())
    torch.set_num_threads(1)
    assert len(digests) == 1


def test_universes_differ_and_the_same_one_repeats() -> None:
    assert np.array_equal(make_universe(SMALL, 1).counts, make_universe(SMALL, 1).counts)
    assert not np.array_equal(make_universe(SMALL, 1).counts, make_universe(SMALL, 2).counts)


def test_each_parameter_changes_the_counts_of_the_same_waves() -> None:
    base = simulate_counts(SMALL, Parameters(), 5)
    for targets in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        assert not np.array_equal(simulate_counts(SMALL, parameters_of(targets), 5), base)


def test_more_clustering_power_means_more_variance() -> None:
    low = simulate_counts(SMALL, Parameters(sigma8=0.72), 5)[0].astype(float).var()
    high = simulate_counts(SMALL, Parameters(sigma8=0.88), 5)[0].astype(float).var()
    assert high > 1.1 * low


def test_sizes_and_bytes_follow_from_the_definition() -> None:
    definition = definition_of(redshifts=REDSHIFTS[:2])
    assert definition.sample_shape == (2, 16, 16, 16)
    assert definition.sample_bytes == 2 * 16**3 * 2 + 16
    assert definition.dataset_bytes == 8 * definition.sample_bytes
    assert definition.crops_per_universe == 8
    assert sum(definition.samples_of(universe) for universe in range(4)) == 8
    assert definition.disk_bytes > definition.dataset_bytes


def test_a_simulation_without_a_side_is_as_large_as_a_crop_needs() -> None:
    assert definition_of(resolution=128, simulation_side=0, num_samples=4).simulation_side == 128


def test_the_identity_depends_on_everything_that_decides_the_data() -> None:
    changes = [
        {},
        {"seed": 2},
        {"num_samples": 9},
        {"num_universes": 5},
        {"resolution": 8},
        {"redshifts": REDSHIFTS[:3]},
        {"simulation_side": 64},
        {"num_steps": 11},
        {"force_mesh_factor": 1},
        {"reuse": Reuse.CUBE_SYMMETRIES},
    ]
    assert len({definition_of(**change).dataset_id for change in changes}) == len(changes)
    assert definition_of().dataset_id == definition_of().dataset_id


def test_data_sets_of_other_resolutions_share_universes() -> None:
    shared = {
        definition_of(**change).universes.universes_id
        for change in (
            {},
            {"resolution": 8},
            {"redshifts": REDSHIFTS[:1]},
            {"num_samples": 16, "num_universes": 9},
        )
    }
    assert len(shared) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 24}, "power of two"),
        ({"resolution": 4}, "at least 8"),
        ({"resolution": 2048}, "from 8 to 1024"),
        ({"resolution": 64}, "too small for its crops"),
        ({"simulation_side": 48}, "32 or 64"),
        ({"redshifts": (0.0,) * 17}, "1 to 16"),
        ({"redshifts": ()}, "1 to 16"),
        ({"num_samples": 0}, "at least 1"),
        ({"num_samples": 8.0}, "whole number"),
        ({"num_universes": True}, "whole number"),
        ({"num_universes": 9}, "at most 8 universes"),
        ({"num_samples": 33}, "at least 5 universes"),
        ({"num_samples": 4 * 8 * 48 + 1, "reuse": Reuse.CUBE_SYMMETRIES}, "at least 5 universes"),
        ({"reuse": "sometimes"}, "Reuse.NONE"),
        ({"num_steps": 3}, "need at least 4"),
        ({"force_mesh_factor": 5}, "use 1, 2, 3 or 4"),
        ({"seed": -1}, "at least 0"),
        ({"seed": 2**63}, "below 2"),
    ],
)
def test_an_impossible_size_is_refused_with_what_would_do(change: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        definition_of(**change)
