"""What ranks do in tests; imports nothing that takes long, for every rank does."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from cosmology.definition import DatasetDefinition, UniverseDefinition
from cosmology.generation import Resources, complete
from cosmology.modes import linear_waves
from cosmology.parameters import Parameters
from cosmology.slabs.crew import Crew
from cosmology.slabs.gravity import SlabGravity
from cosmology.slabs.halo import Window, fetched_from_owners, summed_to_owners, windows_of
from cosmology.slabs.making import Leader, follow
from cosmology.slabs.mesh import SlabMesh

BOX = 300.0


def silent(_: str) -> None:
    """Progress for nobody."""


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rows_of(crew: Crew, whole: torch.Tensor, axis: int) -> torch.Tensor:
    per_rank = whole.shape[axis] // crew.num_ranks
    return whole.narrow(axis, crew.rank * per_rank, per_rank).contiguous()


def all_transforms(crew: Crew, sides: list[int]) -> list[tuple[np.ndarray, ...]]:
    return [transforms(crew, side) for side in sides]


def transforms(crew: Crew, side: int) -> tuple[np.ndarray, ...]:
    """Waves of a random field, that field again, and random linear waves."""
    mesh = SlabMesh(side=side, box_mpc_per_h=BOX, crew=crew)
    waves = mesh.to_waves(rows_of(crew, noise((side,) * 3), 0))
    again = mesh.planes_to_field(mesh.to_planes(waves))
    return waves.numpy(), again.numpy(), linear_waves(mesh, Parameters(), 5).numpy()


def kicked(crew: Crew, displacements: list[np.ndarray], sides: list[int]) -> list[np.ndarray]:
    """Momenta of this rank's particles after kicks from rest, by meshes of some sides."""
    momenta = []
    for displacement, side in product(displacements, sides):
        place = rows_of(crew, torch.from_numpy(displacement), 1)
        momentum = torch.zeros_like(place)
        SlabGravity(SlabMesh(side=side, box_mpc_per_h=BOX, crew=crew)).kick(
            momentum, place, 0.7, is_sharp=True
        )
        momenta.append(momentum.numpy())
    return momenta


def all_there_and_back(
    crew: Crew, cases: list[list[Window]], side: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    return [there_and_back(crew, windows, side) for windows in cases]


def there_and_back(crew: Crew, windows: list[Window], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Own slab of ones summed over all windows, and the numbers of planes fetched for the own window."""
    ones = torch.ones((windows[crew.rank].count, side, side), dtype=torch.int32)
    numbers = torch.arange(side, dtype=torch.float32).view(side, 1, 1).expand(side, side, side)
    fetched = fetched_from_owners(rows_of(crew, numbers, 0), windows, crew)
    return summed_to_owners(ones, windows, crew).numpy(), fetched.numpy()


def nowhere(crew: Crew) -> list[Window]:
    return windows_of(torch.full((3, 2, 4, 4), torch.nan), 4, BOX, crew)


def universes(crew: Crew, definitions: list[UniverseDefinition]) -> list[np.ndarray]:
    """Counts of universe 3 of each definition on rank 0; elsewhere nothing."""
    made = []
    for definition in definitions:
        if crew.rank > 0:
            follow(crew, definition, silent)
        else:
            with Leader(crew, definition, silent) as leader:
                counts = np.zeros((len(definition.redshifts), *(definition.side,) * 3), np.uint16)
                done = [0] * len(counts)
                for channel, block in leader.make(3):
                    counts[channel, done[channel] : done[channel] + len(block)] = block
                    done[channel] += len(block)
                made.append(counts)
    return made


def join_of(crew: Crew) -> Callable[[int], dist.ProcessGroup]:
    """Groups of n consecutive ranks."""

    def join(size: int) -> dist.ProcessGroup:
        firsts = range(0, crew.num_ranks, size)
        groups = [dist.new_group(list(range(first, min(crew.num_ranks, first + size)))) for first in firsts]
        return groups[crew.rank // size]

    return join


def data_set(crew: Crew, definition: DatasetDefinition, folder: Path, memory_bytes: int) -> list[str]:
    """What this rank told while all made a data set."""
    told: list[str] = []
    resources = Resources(memory_bytes=memory_bytes, join=join_of(crew))
    complete(definition, folder, crew.rank, crew.num_ranks, told.append, resources=resources)
    return told


def failing_leader(crew: Crew, definition: UniverseDefinition) -> Any:
    """A leader that fails after a universe, with what the others raise of it."""
    if crew.rank > 0:
        return follow(crew, definition, silent)
    with Leader(crew, definition, silent) as leader:
        assert len(list(leader.make(0))) == crew.num_ranks * len(definition.redshifts)
        raise OSError("no space left")
