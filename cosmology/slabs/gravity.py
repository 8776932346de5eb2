"""Gravity of particles on a mesh that several ranks hold together."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from cosmology.gravity import overdensity_of_deposit
from cosmology.mesh import Waves, apply_inverse_laplacian
from cosmology.painting import check_least, count_onto, deposit_onto, kick_by
from cosmology.particle_cells import Placed
from cosmology.perturbation import gradient
from cosmology.sharpening import axis_factors
from cosmology.slabs.crew import gathered
from cosmology.slabs.halo import Window, fetched_from_owners, summed_to_owners, windows_of
from cosmology.slabs.mesh import SlabMesh

Rows = Float[Tensor, "3 rows n n"]
"""Displacements [Mpc/h] of the particles of some rows of the lattice, which stay with their rank."""


@dataclass(frozen=True, slots=True)
class SlabGravity:
    """The pull of all particles on those of this rank; every rank of the crew calls."""

    mesh: SlabMesh

    def kick(self, momentum: Rows, place: Rows, impulse: float, *, is_sharp: bool = False) -> None:
        """As ``cosmology.gravity.Gravity.kick``, bit for bit."""
        mesh, crew = self.mesh, self.mesh.crew
        windows = windows_of(place, mesh.side, mesh.box_mpc_per_h, crew)
        placed = _placed(place, mesh, windows[crew.rank])
        field = gradient(mesh, self._potential(placed, windows, is_sharp=is_sharp))
        for axis in range(3):  # one after the other: the slab of each is freed before the next is fetched
            field[axis] = fetched_from_owners(field[axis], windows, crew)
        kick_by(momentum, field, placed, -impulse)

    def _potential(self, placed: Placed, windows: list[Window], *, is_sharp: bool) -> Waves:
        """Waves of the potential [(Mpc/h)^2]."""
        mesh = self.mesh
        deposit = _nothing(placed)
        deposit_onto(deposit, placed)
        own = summed_to_owners(deposit, windows, mesh.crew)
        del deposit
        # All ranks know it, so that none waits for one that has raised.
        check_least(min(least for (least,) in gathered(mesh.crew, (int(own.min()),))))
        waves = mesh.to_waves(own.to(torch.float32))
        scale = overdensity_of_deposit(mesh.side, placed.displacement.shape[2])
        apply_inverse_laplacian(mesh, waves, scale, axis_factors(mesh) if is_sharp else None)
        return waves


def counts(place: Rows, lattice: SlabMesh) -> Int32[Tensor, "rows n n"]:
    """Particles of all ranks in each voxel of this rank's planes."""
    crew = lattice.crew
    windows = windows_of(place, lattice.side, lattice.box_mpc_per_h, crew)
    placed = _placed(place, lattice, windows[crew.rank])
    found = _nothing(placed)
    count_onto(found, placed)
    return summed_to_owners(found, windows, crew)


def _placed(place: Rows, mesh: SlabMesh, window: Window) -> Placed:
    return Placed(
        displacement=place,
        mesh=mesh,
        num_planes=window.count,
        first_row=mesh.crew.rank * place.shape[1],
        first_plane=window.first,
    )


def _nothing(placed: Placed) -> Int32[Tensor, "planes m m"]:
    side = placed.mesh.side
    return torch.zeros((placed.num_planes, side, side), dtype=torch.int32, device=placed.mesh.device)
