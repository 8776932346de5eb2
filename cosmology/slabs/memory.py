"""How many ranks one universe needs: what each of them holds at most, by formula.

Arithmetic only (no torch, no numpy), so that planning may import it.
"""

import math
import sys

from cosmology.definition import DatasetError, UniverseDefinition

MOST_DISPLACEMENT_MPC_PER_H = 40.0
"""How far any particle of a universe is from its lattice place along one axis, with room to spare."""

_PARTICLE_BYTES = 60
"""Displacement, momentum and force of three components, and the two fields of the start."""
_CELL_BYTES = 32
"""Potential, its derivative on the way to space, and three components of the force; four bytes each, and
the copies on the way of a transform through the ranks."""
_HALO_BYTES = 28
"""Of a cell of a neighbour: a deposit in fixed point, its way there, and three components of the force."""
LIBRARIES_BYTES = 600_000_000


def rank_memory_bytes(definition: UniverseDefinition, num_ranks: int) -> int:
    """Most memory that one of ``num_ranks`` ranks takes while they simulate one universe [bytes]."""
    cells = definition.side * definition.force_mesh_factor
    particles = definition.side**3 / num_ranks
    own = cells**3 / num_ranks
    halo = 0 if num_ranks == 1 else _halo_planes(definition, cells, num_ranks) * cells**2
    return math.ceil(particles * _PARTICLE_BYTES + own * _CELL_BYTES + halo * _HALO_BYTES + LIBRARIES_BYTES)


def ranks_per_universe(definition: UniverseDefinition, memory_bytes: int, num_ranks: int) -> int:
    """The fewest ranks, a power of two, that can hold one universe.

    Raises:
        DatasetError: when all ``num_ranks`` together cannot.
    """
    if memory_bytes >= sys.maxsize:
        return 1
    tried = 1
    while rank_memory_bytes(definition, tried) > memory_bytes:
        if 2 * tried > min(num_ranks, definition.side):
            raise DatasetError(
                f"a universe of {definition.side}^3 particles with a force mesh "
                f"{definition.force_mesh_factor} times as fine takes {rank_memory_bytes(definition, tried) / 1e9:.3g} GB on each of {tried} "
                f"ranks, and each has {memory_bytes / 1e9:.3g} GB; use more ranks or nodes, fewer ranks on a "
                "node, a smaller simulation_side or a smaller force_mesh_factor."
            )
        tried *= 2
    return tried


def _halo_planes(definition: UniverseDefinition, cells: int, num_ranks: int) -> int:
    """Planes of other ranks that the particles of a slab may reach, on both sides."""
    cell_mpc_per_h = definition.base_box_mpc_per_h / cells
    reach = 2 * (math.ceil(MOST_DISPLACEMENT_MPC_PER_H / cell_mpc_per_h) + 2)
    return min(reach, cells - cells // num_ranks)
