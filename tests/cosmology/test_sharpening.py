"""Forces that are sharp where particles have left their lattice."""

import numpy as np
import pytest
import torch

from cosmology.linear_power import linear_power, rms_displacement_mpc_per_h
from cosmology.mesh import Mesh, apply_inverse_laplacian
from cosmology.parameters import Parameters
from cosmology.sharpening import axis_factors, growth_off_lattice

MESH = Mesh(side=32, box_mpc_per_h=64.0, device=torch.device("cpu"))


def test_waves_of_the_potential_are_divided_by_what_blurs_them() -> None:
    waves = torch.ones((32, 32, 17), dtype=torch.complex64)
    sharp = waves.clone()
    apply_inverse_laplacian(MESH, waves)
    apply_inverse_laplacian(MESH, sharp, 1.0, axis_factors(MESH))
    blur = (np.sinc(1 / 32) * np.sinc(2 / 32) * np.sinc(3 / 32)) ** 4
    assert float((sharp / waves)[1, -2, 3].real) == pytest.approx(1 / blur, rel=1e-6)
    assert complex(sharp[0, 0, 0]) == complex(waves[0, 0, 0])


def test_waves_have_the_same_bits_in_any_layout() -> None:
    waves = torch.randn((32, 32, 17), dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    other = waves.permute(1, 2, 0).contiguous().permute(2, 0, 1)  # x innermost
    apply_inverse_laplacian(MESH, waves, 0.3, axis_factors(MESH))
    apply_inverse_laplacian(MESH, other, 0.3, axis_factors(MESH))
    assert torch.equal(waves, other)


def test_short_waves_get_no_more_than_half_the_nyquist_wave_of_the_particles() -> None:
    along, _, _ = axis_factors(MESH)
    assert float(along.max()) == pytest.approx(np.sinc(0.125) ** -4)
    assert float(along.flatten()[4]) == float(along.flatten()[5]) == float(along.flatten()[16])
    assert float(along.flatten()[0]) == 1.0


def test_coarse_particles_never_leave_their_lattice_and_fine_ones_early() -> None:
    power = linear_power(Parameters())
    assert 5 < rms_displacement_mpc_per_h(power) < 7  # the usual 6 Mpc/h
    assert growth_off_lattice(power, 18.0) > 1
    assert growth_off_lattice(power, 1.0) == pytest.approx(growth_off_lattice(power, 2.0) / 2)
