"""A periodic cubic mesh and its waves."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex64, Float, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """A periodic cube of ``side``^3 cells; waves are those of a real transform (last axis halved)."""

    side: int
    box_mpc_per_h: float
    device: torch.device

    @property
    def fundamental_h_per_mpc(self) -> float:
        """Wave number of the longest wave [h/Mpc]."""
        return 2 * math.pi / self.box_mpc_per_h

    def wave_indices(self) -> tuple[Int64[Tensor, "x 1 1"], Int64[Tensor, "1 y 1"], Int64[Tensor, "1 1 z"]]:
        """Signed waves per box along each axis; the Nyquist wave counts as negative on the full axes."""
        side, half = self.side, self.side // 2
        ramp = torch.arange(side, device=self.device)
        full = torch.where(ramp < half, ramp, ramp - side)
        return full[:, None, None], full[None, :, None], ramp[None, None, : half + 1]

    def wave_numbers_squared(self) -> Int64[Tensor, "x y z"]:
        """Squared length of each wave vector, in units of the fundamental wave number squared."""
        x, y, z = self.wave_indices()
        return x * x + y * y + z * z

    def inverse_laplacian(self) -> Float[Tensor, "x y z"]:
        """-1/k^2 [(Mpc/h)^2]; 0 for the mean."""
        squared = self.wave_numbers_squared().to(torch.float32)
        squared[0, 0, 0] = math.inf
        return -1 / (squared * self.fundamental_h_per_mpc**2)

    def derivative_waves(
        self,
    ) -> tuple[Float[Tensor, "x 1 1"], Float[Tensor, "1 y 1"], Float[Tensor, "1 1 z"]]:
        """Wave vectors [h/Mpc] for derivatives: 0 at Nyquist, whose derivative no real mesh can hold."""
        x, y, z = (
            torch.where(index.abs() == self.side // 2, 0, index) * self.fundamental_h_per_mpc
            for index in self.wave_indices()
        )
        return x.to(torch.float32), y.to(torch.float32), z.to(torch.float32)

    def to_waves(self, field: Float[Tensor, "n n n"]) -> Complex64[Tensor, "n n m"]:
        """Fourier transform, unnormalised."""
        return torch.fft.rfftn(field)

    def to_field(self, waves: Complex64[Tensor, "n n m"]) -> Float[Tensor, "n n n"]:
        """Inverse Fourier transform, normalised by the number of cells."""
        return torch.fft.irfftn(waves, s=(self.side,) * 3)
