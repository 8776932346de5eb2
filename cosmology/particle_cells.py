"""In which cells of a mesh the particles of a displaced lattice lie, a block of particles at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from cosmology.mesh import Grid

Particles = Float[Tensor, "3 x n n"]
Block = tuple[slice, slice]
"""Rows and columns of the lattice that is held."""

_PARTICLES_AT_ONCE = {"cpu": 1 << 14}  # keeps the temporaries of one block in the second-level cache
_PARTICLES_AT_ONCE_ON_DEVICE = 1 << 24
_CELLS_OF_32_BITS = 1 << 31


@dataclass(frozen=True, slots=True)
class AxisCells:
    """Along one axis, for each particle of a block: the cell below it, the next, and how far between."""

    near: Tensor
    far: Tensor
    fraction: Tensor
    """0 at the near cell, 1 at the far one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Particles of lattice rows from ``first_row`` on, over the planes of a mesh from ``first_plane`` on.

    The planes must hold all that the particles touch; where they are the whole mesh, it is periodic.
    """

    displacement: Particles
    """[Mpc/h]."""
    mesh: Grid
    num_planes: int
    first_row: int = 0
    first_plane: int = 0
    shift_cells: float = 0.0

    def blocks(self) -> Iterator[Block]:
        """Blocks of lattice rows and columns that together are all particles held."""
        _, rows, columns, depth = self.displacement.shape
        most = _PARTICLES_AT_ONCE.get(self.displacement.device.type, _PARTICLES_AT_ONCE_ON_DEVICE)
        columns_at_once = min(columns, max(1, most // depth))
        rows_at_once = max(1, most // (columns_at_once * depth))
        for row in range(0, rows, rows_at_once):
            for column in range(0, columns, columns_at_once):
                yield slice(row, min(rows, row + rows_at_once)), slice(column, column + columns_at_once)

    def cells(self, axis: int, block: Block) -> AxisCells:
        """Cells and weights along an axis; the particles of a block in order, flattened."""
        place = self._places(axis, block)
        whole = place.floor()
        near = self._wrapped(whole, axis)
        return AxisCells(near, self._wrapped_number(near + 1), place.sub_(whole))

    def nearest(self, axis: int, block: Block, offset: float) -> Tensor:
        """Cells in which particles lie, when cells begin ``offset`` below the mesh points."""
        return self._wrapped(self._places(axis, block).add_(offset).floor_(), axis)

    def planes(self, x: Tensor) -> Tensor:
        """Flat index of the first cell of planes, in numbers that can hold all of them."""
        cells = self.num_planes * self.mesh.side**2
        return (x if cells <= _CELLS_OF_32_BITS else x.to(torch.int64)) * self.mesh.side**2

    def _places(self, axis: int, block: Block) -> Tensor:
        """Coordinates in mesh cells, not wrapped."""
        # Multiplied and added apart: a fused sum may round otherwise in the last lanes of a vector.
        scaled = self.displacement[axis][block] * (self.mesh.side / self.mesh.box_mpc_per_h)
        start, extent = self._home(axis, block)
        shape = [1, 1, 1]
        shape[axis] = extent
        homes = torch.arange(start, start + extent, device=scaled.device, dtype=torch.float32)
        homes = homes * (self.mesh.side / self.displacement.shape[2]) + self.shift_cells
        return scaled.add_(homes.view(shape)).view(-1)

    def _home(self, axis: int, block: Block) -> tuple[int, int]:
        """First lattice index of a block along an axis, and how many it has."""
        if axis == 2:
            return 0, self.displacement.shape[3]
        part = block[axis]
        first = self.first_row if axis == 0 else 0
        stop = min(part.stop, self.displacement.shape[1 + axis])
        return first + part.start, stop - part.start

    def _wrapped(self, whole: Tensor, axis: int) -> Tensor:
        """Whole float coordinates as numbers of cells, or of planes of those held."""
        side = self.mesh.side
        if side & (side - 1) == 0:
            numbers = whole.to(torch.int32)
        else:  # in float32: ``remainder`` of whole numbers is some twenty times slower
            numbers = (whole - side * (whole / side).floor_()).to(torch.int32)
        if axis == 0 and self.first_plane:
            numbers.sub_(self.first_plane)
        elif side & (side - 1):
            return numbers
        return self._wrapped_number(numbers)

    def _wrapped_number(self, numbers: Tensor) -> Tensor:
        """Numbers from -side to 2 side - 1, or any where side is a power of two, into the periodic mesh."""
        side = self.mesh.side
        if side & (side - 1) == 0:
            return numbers & (side - 1)
        return numbers.sub_(torch.where(numbers >= side, side, 0)).add_(torch.where(numbers < 0, side, 0))
