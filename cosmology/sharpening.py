"""Forces as sharp as the particles allow: what painting and reading on a mesh blur is divided out, in part.

A cloud-in-cell deposit and its reading each blur a wave along an axis by sinc^2 of its share of a cell
(Hockney and Eastwood 1988, section 5), so forces lack sinc^4. Dividing all of it out from the start
strengthens the lattice that particles begin on, and waves that only their discreteness feeds. So it begins
when particles have left their lattice, and stays at a constant for waves shorter than half their Nyquist
wave on a force mesh twice as fine: of the choices tried, the one nearest to HMcode2020 over all redshifts
(``python -m benchmarks.generation --part power``).
"""

import torch
from torch import Tensor

from cosmology.linear_power import Power, rms_displacement_mpc_per_h
from cosmology.mesh import Grid

_LONGEST_SHARE = 0.125
"""Waves per cell above which the factor stays."""
_POWER = 4
"""Of the sinc: two for the deposit, two for the reading."""

AxisFactors = tuple[Tensor, Tensor, Tensor]


def growth_off_lattice(power: Power, spacing_mpc_per_h: float) -> float:
    """Linear growth, 1 today, at which the rms displacement along an axis is the spacing of particles."""
    return spacing_mpc_per_h / rms_displacement_mpc_per_h(power)


def axis_factors(grid: Grid) -> AxisFactors:
    """What the waves held are multiplied by along x, y and z: 1 for long ones, at most 1.107 an axis."""
    x, y, z = (_factor(indices, grid.side) for indices in grid.wave_indices())
    return x, y, z


def _factor(indices: Tensor, side: int) -> Tensor:
    share = (indices.to(torch.float64) / side).clamp(-_LONGEST_SHARE, _LONGEST_SHARE)
    return torch.sinc(share).pow(-_POWER).to(torch.float32)
