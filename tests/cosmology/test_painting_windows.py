"""Painting exactly, onto the whole mesh or onto windows of its planes."""

import pytest
import torch

from cosmology.mesh import Mesh
from cosmology.painting import UNIT, count_onto, counts, deposit_onto, kick_by
from cosmology.particle_cells import Placed

LATTICE, BOX = 16, 288.0


def mesh_of(side: int) -> Mesh:
    return Mesh(side=side, box_mpc_per_h=BOX, device=torch.device("cpu"))


def displaced(scale_mpc_per_h: float, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, LATTICE, LATTICE, LATTICE, generator=generator) * scale_mpc_per_h


def deposit_of(displacement: torch.Tensor, mesh: Mesh) -> torch.Tensor:
    total = torch.zeros(mesh.field_shape, dtype=torch.int32)
    deposit_onto(total, Placed(displacement=displacement, mesh=mesh, num_planes=mesh.side))
    return total


@pytest.mark.parametrize("side", [8, 16, 32, 48])
@pytest.mark.parametrize("scale_mpc_per_h", [0.0, 1e-7, 8.0, 4000.0])
def test_every_particle_leaves_exactly_one_unit(side: int, scale_mpc_per_h: float) -> None:
    total = deposit_of(displaced(scale_mpc_per_h), mesh_of(side))
    assert int(total.sum(dtype=torch.int64)) == UNIT * LATTICE**3


@pytest.mark.parametrize("side", [16, 32, 48])
def test_weights_are_those_of_clouds_in_cells(side: int) -> None:
    displacement = displaced(8.0)
    homes = torch.stack(torch.meshgrid(*[torch.arange(LATTICE) * side / LATTICE] * 3, indexing="ij"))
    places = (homes + displacement.double() * (side / BOX)).reshape(3, -1)
    expected = torch.zeros(side**3, dtype=torch.float64)
    for corner in range(8):
        steps = torch.tensor([corner >> 2 & 1, corner >> 1 & 1, corner & 1])[:, None]
        cells = (places.floor().long() + steps) % side
        fraction = places - places.floor()
        weight = torch.where(steps == 1, fraction, 1 - fraction).prod(0)
        expected.index_add_(0, (cells[0] * side + cells[1]) * side + cells[2], weight)
    found = deposit_of(displacement, mesh_of(side)).double().view(-1) / UNIT
    assert torch.allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("side", [32, 48])
@pytest.mark.parametrize("num_ranks", [2, 4])
def test_windows_of_several_ranks_add_up_to_the_whole_mesh(side: int, num_ranks: int) -> None:
    """Rows of the lattice over windows of planes that wrap around the box, deposits and counts alike."""
    mesh, voxels, displacement = mesh_of(side), mesh_of(LATTICE), displaced(8.0)
    halo, rows = 8, LATTICE // num_ranks
    deposit = torch.zeros(mesh.field_shape, dtype=torch.int32)
    counted = torch.zeros(voxels.field_shape, dtype=torch.int32)
    for rank in range(num_ranks):
        for target, paint, over in ((deposit, deposit_onto, mesh), (counted, count_onto, voxels)):
            planes = over.side // num_ranks
            window = Placed(
                displacement=displacement[:, rank * rows : (rank + 1) * rows],
                mesh=over,
                num_planes=min(over.side, planes + 2 * halo),
                first_row=rank * rows,
                first_plane=(rank * planes - halo) % over.side,
            )
            part = torch.zeros(window.num_planes, over.side, over.side, dtype=torch.int32)
            paint(part, window)
            at = (torch.arange(window.num_planes) + window.first_plane) % over.side
            target.index_add_(0, at, part)
    assert torch.equal(deposit, deposit_of(displacement, mesh))
    assert torch.equal(counted, counts(displacement, voxels))


def test_kicks_from_a_window_are_those_from_the_whole_mesh_bit_for_bit() -> None:
    mesh, displacement = mesh_of(32), displaced(8.0)
    generator = torch.Generator().manual_seed(2)
    field = [torch.randn(mesh.field_shape, generator=generator) for _ in range(3)]
    whole, rows, first_plane = displaced(1.0, seed=3), slice(4, 8), 1
    part = whole[:, rows].clone()
    kick_by(whole, field, Placed(displacement=displacement, mesh=mesh, num_planes=32), 0.7)
    planes = (torch.arange(26) + first_plane) % 32
    window = Placed(
        displacement=displacement[:, rows], mesh=mesh, num_planes=26, first_row=4, first_plane=first_plane
    )
    kick_by(part, [values[planes] for values in field], window, 0.7)
    assert torch.equal(part, whole[:, rows])


def test_a_kick_adds_to_the_momentum_in_proportion_to_the_impulse() -> None:
    mesh, displacement = mesh_of(16), displaced(3.0)
    field = [torch.full(mesh.field_shape, value) for value in (1.0, -2.0, 0.5)]
    momentum = torch.ones(3, LATTICE, LATTICE, LATTICE)
    kick_by(momentum, field, Placed(displacement=displacement, mesh=mesh, num_planes=16), 3.0)
    for axis, expected in enumerate((4.0, -5.0, 2.5)):
        assert torch.allclose(momentum[axis], torch.tensor(expected))
