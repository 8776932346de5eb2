"""Displacement theory, painting and the particle mesh against exact solutions and linear theory."""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmology.background import Growth, growth
from cosmology.dataset_error import DatasetError
from cosmology.gravity import Gravity
from cosmology.linear_power import linear_power
from cosmology.mesh import Mesh, derivative_waves, fundamental_h_per_mpc
from cosmology.modes import Amplitude, linear_waves
from cosmology.painting import counts, kick_by, overdensity
from cosmology.parameters import Parameters
from cosmology.particle_cells import Placed
from cosmology.particle_mesh import Solver, step_edges
from cosmology.particle_mesh import evolve as evolve_by
from cosmology.perturbation import Displacements, displacements
from cosmology.power_spectrum import Window, measure_power

BOX = 288.0
PARAMETERS = Parameters()
CPU = torch.device("cpu")


def mesh_of(side: int, box: float = BOX) -> Mesh:
    return Mesh(side=side, box_mpc_per_h=box, device=CPU)


def solver_of(num_steps: int = 10, force_mesh_factor: int = 2) -> Solver:
    return Solver(start_scale_factor=0.1, num_steps=num_steps, force_mesh_factor=force_mesh_factor)


def placed_on(mesh: Mesh, displacement: torch.Tensor) -> Placed:
    return Placed(displacement=displacement, mesh=mesh, num_planes=mesh.side)


def evolve(
    lattice: Mesh,
    start: Displacements,
    growth_at: Callable[[float], Growth],
    outputs: tuple[float, ...],
    solver: Solver,
) -> Iterator[torch.Tensor]:
    kick = Gravity(lattice.refined(solver.force_mesh_factor)).kick
    return evolve_by(start, growth_at, outputs, solver, kick)


def start_of(mesh: Mesh, seed: int, amplitude: Amplitude = Amplitude.FIXED) -> Displacements:
    return displacements(mesh, linear_waves(mesh, PARAMETERS, seed, amplitude))


def plane_wave(mesh: Mesh, waves: int, amplitude: float, axis: int) -> torch.Tensor:
    phase = 2 * math.pi * waves * torch.arange(mesh.side, dtype=torch.float64) / mesh.side
    shape = [1, 1, 1]
    shape[axis] = mesh.side
    return (amplitude * torch.cos(phase)).view(shape).expand((mesh.side,) * 3).to(torch.float32)


def test_a_plane_wave_is_displaced_by_its_potential_and_has_no_second_order() -> None:
    mesh = mesh_of(32)
    found = displacements(mesh, mesh.to_waves(plane_wave(mesh, 2, 0.5, axis=1)))
    k = 2 * fundamental_h_per_mpc(mesh)
    phase = 2 * math.pi * 2 * torch.arange(32) / 32
    expected = (-0.5 / k * torch.sin(phase)).view(1, 32, 1).expand(32, 32, 32)
    assert torch.allclose(found.first[1], expected, atol=1e-4)
    assert float(found.first[0].abs().max()) < 1e-4
    assert float(found.second.abs().max()) < 1e-4


def test_crossed_waves_have_the_second_order_of_algebra() -> None:
    """For delta = A cos kx + B cos ky the source is AB cos kx cos ky, so phi2 = -AB cos kx cos ky / 2k^2."""
    mesh = mesh_of(32)
    delta = plane_wave(mesh, 1, 0.3, axis=0) + plane_wave(mesh, 1, 0.2, axis=1)
    k = fundamental_h_per_mpc(mesh)
    phase = 2 * math.pi * torch.arange(32) / 32
    expected = 0.06 / (2 * k) * torch.sin(phase)[:, None] * torch.cos(phase)[None, :]
    found = displacements(mesh, mesh.to_waves(delta)).second[0]
    assert torch.allclose(found, expected[:, :, None].expand(32, 32, 32), atol=1e-4)


def test_minus_the_divergence_of_the_first_order_is_the_overdensity() -> None:
    mesh = mesh_of(32)
    waves = linear_waves(mesh, PARAMETERS, 3)
    first = displacements(mesh, waves).first
    divergence = sum(
        mesh.to_field(mesh.to_waves(first[axis]) * 1j * wave)
        for axis, wave in enumerate(derivative_waves(mesh))
    )
    assert torch.allclose(-divergence, mesh.to_field(waves), atol=2e-3)


def test_an_undisplaced_lattice_is_uniform() -> None:
    still = torch.zeros(3, 16, 16, 16)
    assert torch.equal(counts(still, mesh_of(16)), torch.ones(16, 16, 16, dtype=torch.int32))
    assert float(overdensity(still, mesh_of(16)).abs().max()) < 1e-6


@pytest.mark.parametrize("side", [8, 16, 32, 48])
def test_painting_keeps_every_particle_however_far_it_went(side: int) -> None:
    generator = torch.Generator().manual_seed(1)
    far = torch.randn(3, 16, 16, 16, generator=generator) * 400
    assert int(counts(far, mesh_of(side)).sum()) == 16**3
    assert float(overdensity(far, mesh_of(side)).mean()) == pytest.approx(0, abs=1e-5)


def test_more_particles_than_a_cell_can_hold_are_refused() -> None:
    """32^3 particles in one cell are one more than 32 bits can say: never a hole where the most should be."""
    home = torch.arange(32, dtype=torch.float32)
    gathered = -torch.stack(torch.meshgrid(home, home, home, indexing="ij"))
    exact = mesh_of(32, box=32.0)
    with pytest.raises(DatasetError, match="more than 32767 particles"):
        overdensity(gathered, exact)
    gathered[:, 0, 0, 0] = 5
    assert float(overdensity(gathered, exact).max()) == 32**3 - 2


def test_a_whole_box_of_displacement_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(2)
    near = torch.rand(3, 8, 8, 8, generator=generator) * 20
    assert torch.equal(counts(near, mesh_of(8)), counts(near - BOX, mesh_of(8)))


def test_paint_does_not_depend_on_the_order_of_particles() -> None:
    """Rolled by whole cells, the lattice is visited in another order and the field must roll along."""
    generator = torch.Generator().manual_seed(3)
    places = torch.randint(-64, 64, (3, 16, 16, 16), generator=generator) / 8
    rolled = places.roll((3, 5, 7), dims=(1, 2, 3))
    exact = mesh_of(16, box=16.0)  # cells of 1 Mpc/h: no rounding on the way to cells
    for paint in (counts, overdensity):
        field = paint(places, exact)
        assert torch.equal(paint(rolled, exact), field.roll((3, 5, 7), dims=(0, 1, 2)))


def test_sampling_reads_a_linear_field_exactly_between_mesh_points() -> None:
    mesh = mesh_of(16)
    cell = BOX / 16
    generator = torch.Generator().manual_seed(4)
    within = torch.rand(3, 16, 16, 16, generator=generator) * cell
    ramp = torch.arange(16.0).view(16, 1, 1).expand(16, 16, 16)
    field, out = [ramp, 2 * ramp, -ramp], torch.zeros(3, 16, 16, 16)
    kick_by(out, [values.contiguous() for values in field], placed_on(mesh, within), 1.0)
    expected = (ramp + within[0] / cell)[:15]
    assert torch.allclose(out[:, :15], torch.stack([expected, 2 * expected, -expected]), atol=1e-4)


@pytest.mark.parametrize(
    ("outputs", "num_steps"), [((1.0,), 10), ((0.25, 0.4, 2 / 3, 1.0), 10), ((0.25, 0.4, 2 / 3, 1.0), 4)]
)
def test_steps_are_as_many_as_asked_and_end_at_every_output(
    outputs: tuple[float, ...], num_steps: int
) -> None:
    edges = step_edges(outputs, solver_of(num_steps))
    assert len(edges) == num_steps + 1
    assert edges[0] == 0.1
    assert list(edges) == sorted(set(edges))
    assert set(outputs) <= set(edges)


@pytest.mark.parametrize("outputs", [(), (1.0, 0.5), (0.1, 1.0), (0.5, 0.5)])
def test_outputs_that_do_not_grow_are_refused(outputs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must grow"):
        step_edges(outputs, solver_of())


def test_fewer_steps_than_outputs_are_refused() -> None:
    with pytest.raises(ValueError, match="use more steps"):
        step_edges((0.5, 1.0), solver_of(1))


@pytest.mark.parametrize("num_steps", [2, 10])
def test_a_plane_wave_moves_as_zeldovich_solved_it_for_any_number_of_steps(num_steps: int) -> None:
    """Exact before sheets cross, at D1 = 2 here; a mesh no finer than the sheets sees no sheets."""
    mesh = mesh_of(32)
    start = displacements(mesh, mesh.to_waves(plane_wave(mesh, 1, 0.5, axis=2)))
    (place,) = evolve(mesh, start, growth(PARAMETERS), (1.0,), solver_of(num_steps, force_mesh_factor=1))
    expected = start.first[2]
    assert float((place[2] * expected).sum() / (expected**2).sum()) == pytest.approx(1, abs=0.01)
    assert float((place[2] - expected).std() / expected.std()) < 0.05
    assert float(place[:2].abs().max()) < 0.01 * float(expected.abs().max())


def test_early_power_is_linear_theory_of_the_same_waves() -> None:
    """At a = 0.1 on a four times finer mesh, where aliasing of the lattice is below a per cent."""
    mesh, at = mesh_of(32), growth(PARAMETERS)(0.1)
    waves = linear_waves(mesh, PARAMETERS, 1)
    start = displacements(mesh, waves)
    place = at.first * start.first + at.second * start.second
    found = measure_power(overdensity(place, mesh_of(128)), BOX, Window.CLOUD_IN_CELL)
    linear = measure_power(mesh.to_field(waves), BOX, Window.NONE)
    ratio = found.power[:8] / (linear.power[:8] * at.first**2)
    assert np.abs(ratio - 1).max() < 0.03


def test_large_scales_grow_linearly_in_the_particle_mesh() -> None:
    mesh, at = mesh_of(32), growth(PARAMETERS)
    waves = linear_waves(mesh, PARAMETERS, 1)
    linear = measure_power(mesh.to_field(waves), BOX, Window.NONE)
    bands = {0.25: 0.03, 1.0: 0.06}
    for scale_factor, place in zip(
        bands, evolve(mesh, displacements(mesh, waves), at, tuple(bands), solver_of()), strict=True
    ):
        found = measure_power(overdensity(place, mesh_of(64)), BOX, Window.CLOUD_IN_CELL)
        ratio = found.power[:2] / (linear.power[:2] * at(scale_factor).first ** 2)
        assert np.abs(ratio - 1).max() < bands[scale_factor]


def test_counts_hold_the_large_scale_power_at_redshift_3() -> None:
    """Voxels centred on the particle lattice would lose a fifth here: see ``painting._OFFSET``."""
    mesh, at = mesh_of(64), growth(PARAMETERS)(0.25)
    start = start_of(mesh, 1)
    place = at.first * start.first + at.second * start.second
    found = measure_power(counts(place, mesh) - 1.0, BOX, Window.NEAREST_GRID_POINT)
    theory = linear_power(PARAMETERS)(found.k_h_per_mpc) * at.first**2
    assert float((found.power / theory)[:4].mean()) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_nonlinear_power_agrees_with_halo_model_fits() -> None:
    """Boost over linear power against HMcode2020, two seeds of fixed amplitude, at all four redshifts."""
    camb = json.loads((Path(__file__).parent / "camb_power.json").read_text())
    mesh, at = mesh_of(64), growth(PARAMETERS)
    redshifts = {0.25: "3.0", 0.4: "1.5", 2 / 3: "0.5", 1.0: "0.0"}
    boosts: dict[str, list[np.ndarray]] = {redshift: [] for redshift in redshifts.values()}
    k = np.array(camb["k"])
    asked = (k >= 0.05) & (k <= 0.3)  # 0.43 of Nyquist: above, the measuring mesh aliases
    for seed in (1, 2):
        waves = linear_waves(mesh, PARAMETERS, seed, Amplitude.FIXED)
        linear = measure_power(mesh.to_field(waves), BOX, Window.NONE)
        run = evolve(mesh, displacements(mesh, waves), at, tuple(redshifts), solver_of(20))
        for scale_factor, place in zip(redshifts, run, strict=True):
            found = measure_power(overdensity(place, mesh_of(128)), BOX, Window.CLOUD_IN_CELL)
            boost = found.power[:31] / (linear.power * at(scale_factor).first ** 2)
            boosts[redshifts[scale_factor]].append(np.interp(k[asked], linear.k_h_per_mpc, boost))
    for redshift, found_boosts in boosts.items():
        expected = (np.array(camb["nonlinear"][redshift]) / np.array(camb["linear"][redshift]))[asked]
        assert np.abs(np.mean(found_boosts, axis=0) / expected - 1).max() < 0.08
