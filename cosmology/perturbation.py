"""Second-order Lagrangian perturbation theory: where the particles of a lattice go at first."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float
from torch import Tensor

from cosmology.mesh import Mesh


@dataclass(frozen=True, slots=True)
class Displacements:
    """Comoving displacement fields [Mpc/h] of the lattice: x = q + D1 first + D2 second."""

    first: Float[Tensor, "3 n n n"]
    second: Float[Tensor, "3 n n n"]


def displacements(mesh: Mesh, linear_waves: Complex64[Tensor, "n n m"]) -> Displacements:
    """First and second order fields of a linear overdensity at redshift 0.

    Bouchet et al. 1995, astro-ph/9406013: first = -grad phi1, laplacian phi1 = delta;
    second = grad phi2, laplacian phi2 = sum over i < j of phi1_ii phi1_jj - phi1_ij^2.
    """
    potential = linear_waves * mesh.inverse_laplacian()
    second = mesh.to_waves(_second_order_source(mesh, potential)) * mesh.inverse_laplacian()
    return Displacements(first=-gradient(mesh, potential), second=gradient(mesh, second))


def gradient(mesh: Mesh, potential: Complex64[Tensor, "n n m"]) -> Float[Tensor, "3 n n n"]:
    """Gradient on the mesh of a potential given by its waves."""
    turned = potential * 1j
    field = potential.new_empty((3, *(mesh.side,) * 3), dtype=torch.float32)
    for axis, waves in enumerate(mesh.derivative_waves()):
        field[axis] = mesh.to_field(turned * waves)
    return field


def _second_order_source(mesh: Mesh, potential: Complex64[Tensor, "n n m"]) -> Float[Tensor, "n n n"]:
    waves = mesh.derivative_waves()

    def second_derivative(one: int, other: int) -> Tensor:
        return mesh.to_field(potential * -(waves[one] * waves[other]))

    xx, yy, zz = (second_derivative(axis, axis) for axis in range(3))
    source = xx * yy + (xx + yy) * zz
    for one, other in ((0, 1), (0, 2), (1, 2)):
        source -= second_derivative(one, other) ** 2
    return source
