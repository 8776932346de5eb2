"""One universe by several ranks: as ``cosmology.universe``, bit for bit, for any number of ranks."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Int32
from numpy.typing import NDArray
from torch import Tensor

from cosmology.kept_memory import kept_memory
from cosmology.slabs.crew import Crew, Message, exchange, gathered
from cosmology.slabs.gravity import SlabGravity, counts
from cosmology.slabs.mesh import SlabMesh
from cosmology.universe import check_fits_16_bits, origin_of, snapshots
from cosmology.universe_definition import UniverseDefinition

Progress = Callable[[str], None]
Block = tuple[int, NDArray[np.uint16]]
"""A channel, and consecutive planes of its counts [x, y, z]."""


def collected(definition: UniverseDefinition, number: int, crew: Crew, progress: Progress) -> Iterator[Block]:
    """The counts of universe ``number`` in order, on rank 0 of a crew whose other ranks ``hand_over``.

    Rank 0 never holds more than two slabs of them.

    Raises:
        DatasetError: on all ranks, when a voxel holds more particles than 16 bits can say.
    """
    for channel, rows in _simulated(definition, number, crew, progress):
        yield channel, _to_16_bits(rows)
        for other in range(1, crew.num_ranks):
            exchange(crew, (), (Message(other, rows),))
            yield channel, _to_16_bits(rows)


def hand_over(definition: UniverseDefinition, number: int, crew: Crew, progress: Progress) -> None:
    """Do this rank's part of a universe that rank 0 collects.

    Raises:
        DatasetError: as ``collected``.
    """
    for _, rows in _simulated(definition, number, crew, progress):
        exchange(crew, (Message(0, rows),), ())


def _simulated(
    definition: UniverseDefinition, number: int, crew: Crew, progress: Progress
) -> Iterator[tuple[int, Int32[Tensor, "rows n n"]]]:
    """Channel and counts of this rank's planes at each output."""
    origin = origin_of(definition, number)
    lattice = SlabMesh(side=definition.side, box_mpc_per_h=origin.box_mpc_per_h, crew=crew)
    gravity = SlabGravity(lattice.refined(definition.force_mesh_factor))
    steps = iter(range(1, definition.num_steps + 1))

    def kick(momentum: Tensor, place: Tensor, impulse: float, *, is_sharp: bool) -> None:
        progress(f"universe {number:06d}: step {next(steps)} of {definition.num_steps}")
        gravity.kick(momentum, place, impulse, is_sharp=is_sharp)

    with kept_memory():
        for channel, place in snapshots(definition, origin.parameters, origin.seed, lattice, kick):
            rows = counts(place, lattice)
            check_fits_16_bits(max(most for (most,) in gathered(crew, (int(rows.max()),))))
            yield channel, rows


def _to_16_bits(rows: Int32[Tensor, "rows n n"]) -> NDArray[np.uint16]:
    return rows.cpu().numpy().astype(np.uint16)
