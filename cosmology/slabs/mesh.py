"""A periodic mesh in slabs: planes of x in space, columns of y among waves.

A transform does y and z of the planes held, hands every rank its columns, and does x: the order of
``cosmology.mesh``, and so its bits.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch

from cosmology.mesh import Field, Indices, Planes, Waves, wave_indices_of
from cosmology.slabs.crew import Crew, transposed


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabMesh:
    """This rank's part of a periodic cube of ``side``^3 cells: see ``cosmology.mesh.Grid``.

    Raises:
        ValueError: when the ranks cannot have equally many planes.
    """

    side: int
    box_mpc_per_h: float
    crew: Crew

    def __post_init__(self) -> None:
        if self.side % self.crew.num_ranks:
            raise ValueError(f"{self.side} planes are no multiple of {self.crew.num_ranks} ranks.")

    @property
    def device(self) -> torch.device:
        """Where fields and waves are held."""
        return self.crew.device

    @property
    def num_planes(self) -> int:
        """Planes of x, and columns of y among waves, held here."""
        return self.side // self.crew.num_ranks

    @property
    def first_plane(self) -> int:
        """The first of them."""
        return self.crew.rank * self.num_planes

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """Planes, rows and columns of the fields held here."""
        return (self.num_planes, self.side, self.side)

    def wave_indices(self) -> Indices:
        """Signed waves per box along each axis: all of x and z, a part of y."""
        x, y, z = wave_indices_of(self.side, self.device)
        return x, y[:, self.first_plane : self.first_plane + self.num_planes], z

    def to_waves(self, field: Field) -> Waves:
        """Fourier transform, unnormalised."""
        ranks, planes = self.crew.num_ranks, self.num_planes
        spread = torch.fft.rfftn(field, dim=(1, 2)).view(planes, ranks, planes, -1)
        blocks = spread.transpose(0, 1).contiguous()
        del spread  # here and below: what is held twice decides how large a universe may be
        columns = transposed(self.crew, blocks)
        del blocks
        return torch.fft.fft(columns.view(self.side, planes, -1), dim=0)

    def to_planes(self, waves: Waves) -> Planes:
        """Inverse transform along x, normalised by the number of planes."""
        ranks, planes = self.crew.num_ranks, self.num_planes
        lines = torch.fft.ifft(waves, dim=0).permute(1, 2, 0)  # as they lie in memory
        blocks = lines.unflatten(2, (ranks, planes)).permute(2, 0, 1, 3).contiguous()
        del lines
        # x lies innermost, as in an undivided mesh: the bits of a transform depend on it.
        return transposed(self.crew, blocks).view(self.side, -1, planes).permute(2, 0, 1)

    def planes_to_field(self, planes: Planes) -> Field:
        """Inverse transform along y and z, normalised by the cells of a plane."""
        return torch.fft.irfftn(planes, s=(self.side, self.side), dim=(1, 2))

    def refined(self, factor: int) -> Self:
        """A mesh of the same box and ranks with ``factor`` times as many cells per axis."""
        return replace(self, side=self.side * factor)
