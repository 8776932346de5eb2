"""One simulated universe: particle counts at several redshifts of one run."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cosmology.background import growth
from cosmology.definition import REDSHIFTS, START_SCALE_FACTOR, DatasetError, UniverseDefinition
from cosmology.mesh import Mesh
from cosmology.modes import linear_waves
from cosmology.painting import counts
from cosmology.parameters import Parameters, box_mpc_per_h, draw_targets, parameters_of
from cosmology.particle_mesh import Solver, evolve
from cosmology.perturbation import displacements
from cosmology.splitmix import hash_of

_MAX_COUNT = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """Counts of particles in voxels, one channel for each redshift of ``REDSHIFTS``."""

    counts: NDArray[np.uint16]
    """[redshift, x, y, z]; each channel sums to the number of particles, one a voxel on average."""
    targets: tuple[float, float, float, float]
    parameters: Parameters
    box_mpc_per_h: float
    seed: int
    """Seed of its initial waves."""


def make_universe(definition: UniverseDefinition, number: int, device: str = "cpu") -> Universe:
    """Simulate universe ``number``: a pure function of its arguments, bit for bit on one kind of device."""
    targets = draw_targets(definition.seed, number)
    parameters = parameters_of(targets)
    box = box_mpc_per_h(definition.base_box_mpc_per_h, parameters)
    seed = universe_seed(definition.seed, number)
    return Universe(
        counts=simulate_counts(definition, parameters, seed, device),
        targets=targets,
        parameters=parameters,
        box_mpc_per_h=box,
        seed=seed,
    )


def universe_seed(seed: int, number: int) -> int:
    """Seed of the initial waves of a universe."""
    return hash_of(seed, number)


def simulate_counts(
    definition: UniverseDefinition, parameters: Parameters, seed: int, device: str = "cpu"
) -> NDArray[np.uint16]:
    """Counts [redshift, x, y, z] of one run, outputs in the order of ``REDSHIFTS``.

    Raises:
        DatasetError: when a voxel holds more particles than 16 bits can say.
    """
    box = box_mpc_per_h(definition.base_box_mpc_per_h, parameters)
    mesh = Mesh(side=definition.side, box_mpc_per_h=box, device=torch.device(device))
    start = displacements(mesh, linear_waves(mesh, parameters, seed))
    solver = Solver(
        start_scale_factor=START_SCALE_FACTOR,
        num_steps=definition.num_steps,
        force_mesh_factor=definition.force_mesh_factor,
    )
    scale_factors = {1 / (1 + redshift): channel for channel, redshift in enumerate(REDSHIFTS)}
    outputs = tuple(sorted(scale_factors))
    result = np.empty((len(REDSHIFTS), *(mesh.side,) * 3), np.uint16)
    for scale_factor, place in zip(
        outputs, evolve(mesh, start, growth(parameters), outputs, solver), strict=True
    ):
        result[scale_factors[scale_factor]] = _as_16_bits(counts(place, mesh))
    return result


def _as_16_bits(voxels: torch.Tensor) -> NDArray[np.uint16]:
    most = int(voxels.max())
    if most > _MAX_COUNT:
        raise DatasetError(
            f"a voxel holds {most} particles, above {_MAX_COUNT}; use a smaller simulation_side."
        )
    return voxels.cpu().numpy().astype(np.uint16)
