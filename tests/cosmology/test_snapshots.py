"""Outputs of one run at any list of redshifts."""

import numpy as np
import pytest
import torch

from cosmology.gravity import Gravity
from cosmology.mesh import Mesh
from cosmology.parameters import Parameters
from cosmology.universe import make_universe, snapshots
from cosmology.universe_definition import UniverseDefinition


def definition_of(redshifts: tuple[float, ...], num_steps: int = 16) -> UniverseDefinition:
    return UniverseDefinition(seed=1, side=16, num_steps=num_steps, force_mesh_factor=1, redshifts=redshifts)


@pytest.mark.parametrize("redshifts", [(0.7,), (0.0, 8.0), (2.0, 0.1, 1.0), tuple(np.linspace(0, 4, 16))])
def test_channels_are_in_the_asked_order_and_structure_grows_towards_today(
    redshifts: tuple[float, ...],
) -> None:
    counts = make_universe(definition_of(redshifts), 0).counts
    assert (counts.sum(axis=(1, 2, 3), dtype=np.int64) == 16**3).all()
    variance_of = dict(zip(redshifts, counts.astype(float).var(axis=(1, 2, 3)), strict=True))
    earlier_first = [variance_of[redshift] for redshift in sorted(redshifts, reverse=True)]
    assert earlier_first[-1] >= earlier_first[0]


def test_snapshots_come_from_the_earliest_to_the_latest_with_their_channels() -> None:
    lattice = Mesh(side=16, box_mpc_per_h=288.0, device=torch.device("cpu"))
    run = snapshots(definition_of((2.0, 0.1, 1.0)), Parameters(), 1, lattice, Gravity(lattice).kick)
    found = [(channel, float(place.std())) for channel, place in run]
    assert [channel for channel, _ in found] == [0, 2, 1]
    spreads = [spread for _, spread in found]
    assert spreads == sorted(spreads)
