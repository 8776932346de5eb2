"""Gravity of particles on a mesh."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float
from torch import Tensor

from cosmology.mesh import Mesh, apply_inverse_laplacian
from cosmology.painting import UNIT, deposit_onto, field_of, kick_by
from cosmology.particle_cells import Placed
from cosmology.perturbation import gradient
from cosmology.sharpening import axis_factors

Particles = Float[Tensor, "3 n n n"]


@dataclass(frozen=True, slots=True)
class Gravity:
    """The pull of all particles on each, by a force mesh that one device holds."""

    mesh: Mesh

    def kick(self, momentum: Particles, place: Particles, impulse: float, *, is_sharp: bool = False) -> None:
        """Add ``-impulse`` grad phi [Mpc/h] at the particles, where laplacian phi = overdensity.

        ``is_sharp``: with forces as ``cosmology.sharpening`` says.
        """
        placed = Placed(displacement=place, mesh=self.mesh, num_planes=self.mesh.side)
        field = gradient(self.mesh, self._potential(placed, is_sharp=is_sharp))
        kick_by(momentum, field, placed, -impulse)

    def _potential(self, placed: Placed, *, is_sharp: bool) -> Complex64[Tensor, "x y z"]:
        """Waves of the potential [(Mpc/h)^2]."""
        deposit = torch.zeros(self.mesh.field_shape, dtype=torch.int32, device=self.mesh.device)
        deposit_onto(deposit, placed)
        waves = self.mesh.to_waves(field_of(deposit))
        scale = overdensity_of_deposit(self.mesh.side, placed.displacement.shape[2])
        apply_inverse_laplacian(self.mesh, waves, scale, axis_factors(self.mesh) if is_sharp else None)
        return waves


def overdensity_of_deposit(mesh_side: int, lattice_side: int) -> float:
    """By what a deposit is multiplied to be an overdensity, up to its mean."""
    return (mesh_side / lattice_side) ** 3 / UNIT
