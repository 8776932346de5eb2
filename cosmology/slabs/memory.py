"""How many ranks one universe needs: what each of them holds at most, by formula.

Arithmetic only (no torch, no numpy), so that planning may import it.
"""

import math
import sys

from cosmology.dataset_error import DatasetError
from cosmology.universe_definition import COUNT_BYTES, UniverseDefinition

MOST_DISPLACEMENT_MPC_PER_H = 40.0
"""How far any particle of a universe is from its lattice place along one axis, with room to spare."""

_PARTICLE_BYTES = 28
"""Displacement and momentum of three components, and the waves of the start."""
_CELL_BYTES = 44
"""Eight numbers: the waves of the potential, those of a derivative before and behind its transforms along x
and on their way among ranks, three components of the force, and what the library copies; and three for
gaps between them (``kept_memory``). A mesh as coarse as the lattice holds the fields of the start there."""
_HALO_BYTES = 16
"""Of a cell of a neighbour: a deposit, or three components of the force, and its way there."""
_FIRST_USE_BYTES = 50_000_000
"""What libraries take when they are used for the first time; what they hold when loaded is not counted."""


def rank_memory_bytes(definition: UniverseDefinition, num_ranks: int) -> int:
    """Most memory that one of ``num_ranks`` ranks takes to make one universe with the others [bytes].

    With n particles and m cells per axis, over R ranks: 28 n^3/R + 44 m^3/R + 16 h m^2 + 50 MB, where h is
    the planes of other ranks that particles displaced by 40 Mpc/h reach; one rank holds the counts too. Never
    less than the counts, of which one rank cuts samples afterwards. Checked by
    ``benchmarks.generation_slabs``.
    """
    cells = definition.side * definition.force_mesh_factor
    particles = definition.side**3 / num_ranks
    own = cells**3 / num_ranks
    halo = 0 if num_ranks == 1 else _halo_planes(definition, cells, num_ranks) * cells**2
    counts = len(definition.redshifts) * definition.side**3 * COUNT_BYTES
    simulating = particles * _PARTICLE_BYTES + own * _CELL_BYTES + halo * _HALO_BYTES
    if num_ranks == 1:
        simulating += counts
    return _FIRST_USE_BYTES + math.ceil(max(simulating, counts))


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
                f"{definition.force_mesh_factor} times as fine takes "
                f"{rank_memory_bytes(definition, tried) / 1e9:.3g} GB on each of {tried} ranks, and each has "
                f"{memory_bytes / 1e9:.3g} GB; use more ranks or nodes, fewer ranks on a node, a smaller "
                "simulation_side or a smaller force_mesh_factor."
            )
        tried *= 2
    return tried


def _halo_planes(definition: UniverseDefinition, cells: int, num_ranks: int) -> int:
    """Planes of other ranks that the particles of a slab may reach, on both sides."""
    cell_mpc_per_h = definition.base_box_mpc_per_h / cells
    reach = 2 * (math.ceil(MOST_DISPLACEMENT_MPC_PER_H / cell_mpc_per_h) + 2)
    return min(reach, cells - cells // num_ranks)
