"""Refining a universe keeps its large scales."""

import numpy as np
import pytest
import torch

from cosmology.definition import UniverseDefinition
from cosmology.gravity import Gravity
from cosmology.mesh import Mesh
from cosmology.painting import overdensity
from cosmology.universe import origin_of, snapshots


def waves_of(side: int) -> np.ndarray:
    """Waves of today's overdensity, up to three along each axis, on a mesh of 32^3 for any side."""
    definition = UniverseDefinition(seed=5, side=side, base_box_mpc_per_h=288, num_steps=6, redshifts=(0.0,))
    origin = origin_of(definition, 3)
    lattice = Mesh(side=side, box_mpc_per_h=origin.box_mpc_per_h, device=torch.device("cpu"))
    run = snapshots(definition, origin.parameters, origin.seed, lattice, Gravity(lattice.refined(2)).kick)
    ((_, place),) = run
    mesh = Mesh(side=32, box_mpc_per_h=lattice.box_mpc_per_h, device=lattice.device)
    kept = [0, 1, 2, 3, -3, -2, -1]
    return np.fft.rfftn(overdensity(place, mesh).double().numpy())[kept][:, kept][:, :, :4]


def test_a_refined_universe_has_the_large_scales_of_the_coarse_one() -> None:
    coarse, fine = waves_of(16), waves_of(32)
    powers = [(np.abs(waves) ** 2).sum() for waves in (coarse, fine)]
    assert (coarse * fine.conj()).real.sum() / np.sqrt(powers[0] * powers[1]) > 0.97
    assert powers[1] / powers[0] == pytest.approx(1, abs=0.15)
