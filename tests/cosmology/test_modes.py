"""Initial waves: decomposition-free, nested, Hermitian, of the right power."""

import itertools

import pytest
import torch

from cosmology.linear_power import linear_power
from cosmology.mesh import Indices, Mesh, fundamental_h_per_mpc, wave_numbers_squared
from cosmology.modes import Amplitude, linear_waves, white_waves
from cosmology.parameters import Parameters
from cosmology.power_spectrum import Window, measure_power
from cosmology.splitmix import splitmix64


def mesh_of(side: int, box: float = 288.0) -> Mesh:
    return Mesh(side=side, box_mpc_per_h=box, device=torch.device("cpu"))


class Columns:
    """Waves of some columns of a mesh, as a rank of several holds them."""

    def __init__(self, whole: Mesh, columns: slice) -> None:
        self.side = whole.side
        self.box_mpc_per_h = whole.box_mpc_per_h
        self.device = whole.device
        self._whole = whole
        self._columns = columns

    def wave_indices(self) -> Indices:
        x, y, z = self._whole.wave_indices()
        return x, y[:, self._columns], z


def test_splitmix64_gives_the_published_sequence() -> None:
    """First outputs of the reference generator for seed 1234567 (its state advances by the increment)."""
    increment = 0x9E3779B97F4A7C15
    states = [(1234567 + step * increment) % 2**64 for step in range(3)]
    assert [splitmix64(state) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@pytest.mark.parametrize("edges", [(0, 7, 16, 32), (0, 1, 2, 31, 32)])
@pytest.mark.parametrize("threads", [1, 2])
def test_slabs_equal_the_columns_of_the_full_array_bitwise(edges: tuple[int, ...], threads: int) -> None:
    full = white_waves(mesh_of(32), 9)
    torch.set_num_threads(threads)
    slabs = [white_waves(Columns(mesh_of(32), slice(a, b)), 9) for a, b in itertools.pairwise(edges)]
    torch.set_num_threads(1)
    assert torch.equal(torch.cat(slabs, dim=1), full)


def test_a_finer_mesh_only_adds_waves() -> None:
    coarse, fine = white_waves(mesh_of(32), 4), white_waves(mesh_of(64), 4)
    kept = [*range(16), *range(64 - 15, 64)]  # all but the coarse Nyquist wave
    here = [*range(16), *range(17, 32)]
    assert torch.equal(fine[kept][:, kept][:, :, :16], coarse[here][:, here][:, :, :16])


def test_linear_waves_of_one_universe_nest_up_to_normalisation() -> None:
    coarse, fine = (linear_waves(mesh_of(n), Parameters(), 4) / n**3 for n in (32, 64))
    assert torch.allclose(fine[:16, :16, :16], coarse[:16, :16, :16], rtol=1e-6, atol=0)


def test_waves_are_those_of_a_real_field_without_mean() -> None:
    waves = white_waves(mesh_of(16), 3)
    assert waves[0, 0, 0] == 0
    again = torch.fft.rfftn(torch.fft.irfftn(waves, s=(16, 16, 16)))
    assert torch.allclose(again, waves, atol=1e-5)


def test_waves_have_unit_variance_and_depend_on_the_seed() -> None:
    waves = white_waves(mesh_of(32), 3)
    assert float((waves.abs() ** 2).sum() / (waves != 0).sum()) == pytest.approx(1, abs=0.03)
    assert not torch.equal(waves, white_waves(mesh_of(32), 2**64 - 1))


@pytest.mark.parametrize("seed", [0, 1])
def test_fixed_amplitudes_follow_theory_within_one_per_cent_in_every_shell(seed: int) -> None:
    mesh = mesh_of(64)
    field = mesh.to_field(linear_waves(mesh, Parameters(), seed, Amplitude.FIXED))
    measured = measure_power(field, mesh.box_mpc_per_h, Window.NONE)
    squared = wave_numbers_squared(mesh).to(torch.float64)
    k = squared.sqrt().numpy() * fundamental_h_per_mpc(mesh)
    theory = torch.from_numpy(linear_power(Parameters())(k))
    shell = (squared.sqrt() + 0.5).floor().to(torch.int64)
    for index, power in enumerate(measured.power, start=1):
        inside = (shell == index).nonzero(as_tuple=True)
        weight = torch.where((inside[2] == 0) | (inside[2] == 32), 1.0, 2.0)
        expected = float((theory[inside] * weight).sum() / weight.sum())
        assert power == pytest.approx(expected, rel=1e-2)
