"""Second-order Lagrangian perturbation theory: where the particles of a lattice go at first."""

from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float
from torch import Tensor

from cosmology.mesh import Grid, apply_inverse_laplacian, derivative_waves, plane_derivative_waves


@dataclass(frozen=True, slots=True)
class Displacements:
    """Comoving displacement fields [Mpc/h] of the lattice: x = q + D1 first + D2 second."""

    first: Float[Tensor, "3 x n n"]
    second: Float[Tensor, "3 x n n"]


def displacements(grid: Grid, linear_waves: Complex64[Tensor, "x y z"]) -> Displacements:
    """First and second order fields of a linear overdensity at redshift 0.

    Bouchet et al. 1995, astro-ph/9406013: first = -grad phi1, laplacian phi1 = delta;
    second = grad phi2, laplacian phi2 = sum over i < j of phi1_ii phi1_jj - phi1_ij^2.
    """
    potential = linear_waves.clone(memory_format=torch.preserve_format)
    apply_inverse_laplacian(grid, potential)
    source = _second_order_source(grid, potential)
    first = torch.stack(gradient(grid, potential)).neg_()
    waves = grid.to_waves(source)
    apply_inverse_laplacian(grid, waves)
    return Displacements(first=first, second=torch.stack(gradient(grid, waves)))


def gradient(grid: Grid, potential: Complex64[Tensor, "x y z"]) -> list[Float[Tensor, "x n n"]]:
    """Gradient on the mesh of a potential given by its waves: three fields.

    The derivatives along y and z are taken of the same planes, which saves a transform along x.
    """
    across = grid.planes_to_field(grid.to_planes(potential * (1j * derivative_waves(grid)[0])))
    planes = grid.to_planes(potential)
    return [
        across,
        *(grid.planes_to_field(planes * (1j * wave)) for wave in plane_derivative_waves(grid)),
    ]


def _second_order_source(grid: Grid, potential: Complex64[Tensor, "x y z"]) -> Float[Tensor, "x n n"]:
    """Sum over i < j of phi_ii phi_jj - phi_ij^2, with one transform along x for each power of k_x."""
    (wave_x, _, _), (wave_y, wave_z) = derivative_waves(grid), plane_derivative_waves(grid)

    def field(planes: Tensor, factor: Tensor) -> Tensor:
        return grid.planes_to_field(planes * factor)

    planes = grid.to_planes(potential)
    yy, zz = field(planes, -wave_y * wave_y), field(planes, -wave_z * wave_z)
    source = yy * zz
    laplacian = yy.add_(zz)
    source.sub_(field(planes, -wave_y * wave_z).square_())
    del planes, zz
    planes = grid.to_planes(potential * (-wave_x * wave_x))
    source.addcmul_(grid.planes_to_field(planes), laplacian)
    del laplacian
    planes = grid.to_planes(potential * wave_x)
    source.sub_(field(planes, wave_y).square_())
    return source.sub_(field(planes, wave_z).square_())
