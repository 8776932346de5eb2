"""Measured power spectrum of an overdensity field, or of displaced particles."""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from jaxtyping import Complex128, Float
from numpy.typing import NDArray
from torch import Tensor

from cosmology.mesh import Mesh, fundamental_h_per_mpc, wave_numbers_squared
from cosmology.painting import overdensity


class Window(IntEnum):
    """How particles were put on the mesh: the power of the sinc to divide out."""

    NONE = 0
    NEAREST_GRID_POINT = 1
    CLOUD_IN_CELL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSpectrum:
    """Means over shells one fundamental wave number wide, from the first to just below Nyquist."""

    k_h_per_mpc: NDArray[np.float64]
    """Mean wave number of each shell [h/Mpc]."""
    power: NDArray[np.float64]
    """Mean power [(Mpc/h)^3]; shot noise is not taken away."""
    num_waves: NDArray[np.int64]
    """Waves in each shell, opposite ones counted twice."""


def measure_power(field: Float[Tensor, "n n n"], box_mpc_per_h: float, window: Window) -> PowerSpectrum:
    """Power of a field in a periodic box, corrected for the window but not for aliasing."""
    mesh = Mesh(side=field.shape[0], box_mpc_per_h=box_mpc_per_h, device=field.device)
    return _power_of(mesh, torch.fft.rfftn(field.to(torch.float64)), window)


def measure_particle_power(displacement: Float[Tensor, "3 n n n"], mesh: Mesh) -> PowerSpectrum:
    """Power of displaced particles [Mpc/h], by two meshes half a cell apart, which cancels odd aliases.

    Sefusatti et al. 2016, doi:10.1093/mnras/stw1229, section 3.
    """
    waves = torch.fft.rfftn(overdensity(displacement, mesh).to(torch.float64))
    moved = torch.fft.rfftn(overdensity(displacement, mesh, shift_cells=0.5).to(torch.float64))
    x, y, z = mesh.wave_indices()
    phase = (x + y + z).to(torch.float64) * (math.pi / mesh.side)
    waves.add_(moved.mul_(torch.polar(torch.ones_like(phase), phase))).mul_(0.5)
    return _power_of(mesh, waves, Window.CLOUD_IN_CELL)


def _power_of(mesh: Mesh, waves: Complex128[Tensor, "n n m"], window: Window) -> PowerSpectrum:
    """Power of the unnormalised waves of a field."""
    power = (waves.abs() / mesh.side**3) ** 2 * mesh.box_mpc_per_h**3
    for index in mesh.wave_indices():
        power = power / torch.sinc(index.to(torch.float64) / mesh.side) ** (2 * int(window))
    length = wave_numbers_squared(mesh).to(torch.float64).sqrt()
    shell = (length + 0.5).floor().to(torch.int64).reshape(-1)
    # Waves with 0 < kz < Nyquist stand for their opposite too.
    weight = torch.full_like(length, 2)
    weight[..., 0] = 1
    weight[..., mesh.side // 2] = 1

    def total(values: Tensor) -> NDArray[np.float64]:
        sums = torch.bincount(shell, (weight * values).reshape(-1))
        return sums[1 : mesh.side // 2].cpu().numpy()

    num_waves = total(torch.ones_like(length))
    return PowerSpectrum(
        k_h_per_mpc=total(length) / num_waves * fundamental_h_per_mpc(mesh),
        power=total(power) / num_waves,
        num_waves=num_waves.round().astype(np.int64),
    )
