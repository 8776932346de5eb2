"""One simulated universe: particle counts at several redshifts of one run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cosmology.background import growth
from cosmology.dataset_error import DatasetError
from cosmology.gravity import Gravity
from cosmology.kept_memory import kept_memory
from cosmology.linear_power import linear_power
from cosmology.mesh import Grid, Mesh
from cosmology.modes import linear_waves
from cosmology.painting import counts
from cosmology.parameters import Parameters, box_mpc_per_h, draw_targets, parameters_of, universe_seed
from cosmology.particle_mesh import Kick, Solver, evolve
from cosmology.perturbation import displacements
from cosmology.sharpening import growth_off_lattice
from cosmology.universe_definition import START_SCALE_FACTOR, UniverseDefinition

_MAX_COUNT = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a universe begins with, before any of its particles is placed."""

    number: int
    targets: tuple[float, float, float, float]
    parameters: Parameters
    box_mpc_per_h: float
    seed: int
    """Seed of its initial waves."""

    def universe(self, counts: NDArray[np.uint16]) -> "Universe":
        """The universe that it became."""
        return Universe(
            counts=counts,
            targets=self.targets,
            parameters=self.parameters,
            box_mpc_per_h=self.box_mpc_per_h,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """Counts of particles in voxels, one channel for each redshift of its definition."""

    counts: NDArray[np.uint16]
    """[redshift, x, y, z]; each channel sums to the number of particles, one a voxel on average."""
    targets: tuple[float, float, float, float]
    parameters: Parameters
    box_mpc_per_h: float
    seed: int
    """Seed of its initial waves."""


def make_universe(definition: UniverseDefinition, number: int, device: str = "cpu") -> Universe:
    """Simulate universe ``number``: a pure function of its arguments, bit for bit on one kind of device.

    Raises:
        DatasetError: when a voxel holds more particles than 16 bits can say, or CAMB is asked for and absent.
    """
    origin = origin_of(definition, number)
    return origin.universe(simulate_counts(definition, origin.parameters, origin.seed, device))


def origin_of(definition: UniverseDefinition, number: int) -> Origin:
    """Parameters, box and seed of universe ``number``."""
    targets = draw_targets(definition.seed, number)
    parameters = parameters_of(targets)
    return Origin(
        number=number,
        targets=targets,
        parameters=parameters,
        box_mpc_per_h=box_mpc_per_h(definition.base_box_mpc_per_h, parameters),
        seed=universe_seed(definition.seed, number),
    )


def simulate_counts(
    definition: UniverseDefinition, parameters: Parameters, seed: int, device: str = "cpu"
) -> NDArray[np.uint16]:
    """Counts [redshift, x, y, z] of one run, outputs in the order of the definition's redshifts.

    Raises:
        DatasetError: as ``make_universe``.
    """
    box = box_mpc_per_h(definition.base_box_mpc_per_h, parameters)
    lattice = Mesh(side=definition.side, box_mpc_per_h=box, device=torch.device(device))
    gravity = Gravity(lattice.refined(definition.force_mesh_factor))
    result = np.empty((len(definition.redshifts), *lattice.field_shape), np.uint16)
    with kept_memory():
        for channel, place in snapshots(definition, parameters, seed, lattice, gravity.kick):
            voxels = counts(place, lattice)
            check_fits_16_bits(int(voxels.max()))
            result[channel] = voxels.cpu().numpy()
    return result


def snapshots(
    definition: UniverseDefinition, parameters: Parameters, seed: int, lattice: Grid, kick: Kick
) -> Iterator[tuple[int, Float[Tensor, "3 x n n"]]]:
    """Channel and displacements [Mpc/h] at each redshift of one run, from the earliest to the latest.

    Each is a view of the running state: use it before asking for the next. ``lattice`` and ``kick`` may be
    those of one of several ranks.
    """
    scale_factors = {1 / (1 + redshift): channel for channel, redshift in enumerate(definition.redshifts)}
    outputs = tuple(sorted(scale_factors))
    solver = Solver(
        start_scale_factor=START_SCALE_FACTOR,
        num_steps=definition.num_steps,
        force_mesh_factor=definition.force_mesh_factor,
        sharp_from_growth=growth_off_lattice(
            linear_power(parameters, definition.linear_power), lattice.box_mpc_per_h / lattice.side
        ),
    )
    run = evolve(
        displacements(lattice, linear_waves(lattice, parameters, seed, kind=definition.linear_power)),
        growth(parameters),
        outputs,
        solver,
        kick,
    )
    for scale_factor, place in zip(outputs, run, strict=True):
        yield scale_factors[scale_factor], place


def check_fits_16_bits(most: int) -> None:
    """Refuse counts that the files cannot hold.

    Raises:
        DatasetError: when a voxel holds more than 65535 particles.
    """
    if most > _MAX_COUNT:
        raise DatasetError(
            f"a voxel holds {most} particles, above {_MAX_COUNT}; use a smaller simulation_side."
        )
