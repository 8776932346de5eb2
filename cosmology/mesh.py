"""A periodic cubic mesh, its waves, and the transforms between them.

Transforms have one fixed order: along y and z of each plane, then along x; back along x, then along y and
z. A mesh divided among ranks by planes does the same one-dimensional transforms, and so has the same bits.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from jaxtyping import Complex64, Float, Int64
from torch import Tensor

_VALUES_AT_ONCE = {"cpu": 1 << 17}  # temporaries that stay in the second-level cache
_VALUES_AT_ONCE_ON_DEVICE = 1 << 28

Indices = tuple[Int64[Tensor, "x 1 1"], Int64[Tensor, "1 y 1"], Int64[Tensor, "1 1 z"]]
Waves = Complex64[Tensor, "x y z"]
Planes = Complex64[Tensor, "x y z"]
Field = Float[Tensor, "x y z"]


class Grid(Protocol):
    """What the science asks of a mesh, whole or divided: fields by planes of x, waves in any block."""

    @property
    def side(self) -> int:
        """Cells per axis of the whole mesh."""

    @property
    def box_mpc_per_h(self) -> float:
        """Comoving box [Mpc/h]."""

    @property
    def device(self) -> torch.device:
        """Where fields and waves are held."""

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the fields held here."""

    def wave_indices(self) -> Indices:
        """Signed waves per box along each axis, of the waves held here."""

    def to_waves(self, field: Field) -> Waves:
        """Fourier transform, unnormalised."""

    def to_planes(self, waves: Waves) -> Planes:
        """Inverse transform along x: planes of this mesh, all waves along y and z."""

    def planes_to_field(self, planes: Planes) -> Field:
        """Inverse transform along y and z; may overwrite ``planes``."""

    def refined(self, factor: int) -> Self:
        """A mesh of the same box with ``factor`` times as many cells per axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A periodic cube of ``side``^3 cells; waves are those of a real transform (last axis halved)."""

    side: int
    box_mpc_per_h: float
    device: torch.device

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """Cells along each axis."""
        return (self.side, self.side, self.side)

    def wave_indices(self) -> Indices:
        """Signed waves per box along each axis; the Nyquist wave counts as negative on the full axes."""
        return wave_indices_of(self.side, self.device)

    def to_waves(self, field: Field) -> Waves:
        """Fourier transform, unnormalised."""
        return torch.fft.fft(torch.fft.rfftn(field, dim=(1, 2)), dim=0)

    def to_planes(self, waves: Waves) -> Planes:
        """Inverse transform along x, normalised by the number of planes."""
        return torch.fft.ifft(waves, dim=0)

    def planes_to_field(self, planes: Planes) -> Field:
        """Inverse transform along y and z, normalised by the cells of a plane."""
        return torch.fft.irfftn(planes, s=(self.side, self.side), dim=(1, 2))

    def to_field(self, waves: Waves) -> Field:
        """Inverse Fourier transform, normalised by the number of cells."""
        return self.planes_to_field(self.to_planes(waves))

    def refined(self, factor: int) -> Self:
        """A mesh of the same box with ``factor`` times as many cells per axis."""
        return replace(self, side=self.side * factor)


def fundamental_h_per_mpc(grid: Grid) -> float:
    """Wave number of the longest wave [h/Mpc]."""
    return 2 * math.pi / grid.box_mpc_per_h


def wave_indices_of(side: int, device: torch.device) -> Indices:
    """Signed waves per box of all waves of a mesh: 0, 1... then the negative ones; z has no negative ones."""
    half = side // 2
    ramp = torch.arange(side, device=device)
    full = torch.where(ramp < half, ramp, ramp - side)
    return full[:, None, None], full[None, :, None], ramp[None, None, : half + 1]


def wave_numbers_squared(grid: Grid) -> Int64[Tensor, "x y z"]:
    """Squared length of each wave vector held, in units of the fundamental wave number squared."""
    x, y, z = grid.wave_indices()
    return x * x + y * y + z * z


def derivative_waves(
    grid: Grid,
) -> tuple[Float[Tensor, "x 1 1"], Float[Tensor, "1 y 1"], Float[Tensor, "1 1 z"]]:
    """Wave vectors [h/Mpc] for derivatives of the waves held; see ``_derivative``."""
    x, y, z = (_derivative(grid, indices) for indices in grid.wave_indices())
    return x, y, z


def plane_derivative_waves(grid: Grid) -> tuple[Float[Tensor, "1 y 1"], Float[Tensor, "1 1 z"]]:
    """Wave vectors [h/Mpc] along y and z for derivatives of planes, which hold all of them."""
    _, y, z = wave_indices_of(grid.side, grid.device)
    return _derivative(grid, y), _derivative(grid, z)


def apply_inverse_laplacian(
    grid: Grid, waves: Waves, factor: float = 1.0, axis_factors: tuple[Tensor, Tensor, Tensor] | None = None
) -> None:
    """Multiply waves by -factor/k^2 [(Mpc/h)^2] in place; they must lie without gaps in memory.

    ``axis_factors`` [x 1 1], [1 y 1] and [1 1 z] multiply them besides.
    The mean is left finite: of a potential, only gradients are asked. Works on parts that stay in the
    cache, in the order of memory (transforms along x leave x innermost), and holds no table of k.
    """
    order = sorted(range(3), key=waves.stride, reverse=True)
    indices = grid.wave_indices()
    first, second, last = (indices[axis].to(torch.float32).square().permute(order) for axis in order)
    last = last.repeat_interleave(2, dim=2)  # once for the real, once for the imaginary part
    parts = torch.view_as_real(waves.permute(order))
    values = parts.view(*parts.shape[:2], -1)
    at_once = max(1, _VALUES_AT_ONCE.get(waves.device.type, _VALUES_AT_ONCE_ON_DEVICE) // values[0].numel())
    scale = -factor / fundamental_h_per_mpc(grid) ** 2
    for start in range(0, len(values), at_once):
        rows = slice(start, start + at_once)
        squared = (first[rows] + second + last).clamp_(min=0.5)  # whole numbers: exact in any order
        squared.reciprocal_().mul_(scale)
        for axis, along in enumerate(axis_factors or ()):  # always in this order: the same bits in any layout
            squared.mul_(_laid_out(along, order, axis, rows))
        values[rows].mul_(squared)


def _laid_out(along: Tensor, order: Sequence[int], axis: int, rows: slice) -> Tensor:
    """Factors of one axis, as they meet rows of waves in memory's order, real and imaginary parts apart."""
    place, laid_out = order.index(axis), along.permute(*order)
    return laid_out[rows] if place == 0 else laid_out.repeat_interleave(2, dim=2) if place == 2 else laid_out


def _derivative(grid: Grid, indices: Tensor) -> Tensor:
    """0 at Nyquist, whose derivative no real mesh can hold."""
    held = torch.where(indices.abs() == grid.side // 2, 0, indices)
    return (held * fundamental_h_per_mpc(grid)).to(torch.float32)
