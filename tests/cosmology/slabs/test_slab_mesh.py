"""Divided meshes: transforms and halos give the bits of the whole mesh."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.forked_ranks import on_ranks
from cosmology.gravity import Gravity
from cosmology.mesh import Mesh
from cosmology.modes import linear_waves
from cosmology.parameters import Parameters
from cosmology.slabs.halo import Window, runs_of
from tests.cosmology.slabs.slab_work import (
    BOX,
    all_there_and_back,
    all_transforms,
    kicked,
    noise,
    nowhere,
    transforms,
)

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_transforms_in_slabs_give_the_bits_of_the_whole_mesh(num_ranks: int, tmp_path: Path) -> None:
    sides = [8, 16, 24, 64]
    all_found = on_ranks(num_ranks, tmp_path, all_transforms, sides)
    for side, found in zip(sides, zip(*all_found, strict=True), strict=True):
        mesh = Mesh(side=side, box_mpc_per_h=BOX, device=CPU)
        waves = mesh.to_waves(noise((side,) * 3))
        assert np.array_equal(np.concatenate([each[0] for each in found], axis=1), waves.numpy())
        assert np.array_equal(np.concatenate([each[1] for each in found]), mesh.to_field(waves).numpy())
        linear = linear_waves(mesh, Parameters(), 5).numpy()
        assert np.array_equal(np.concatenate([each[2] for each in found], axis=1), linear)


@given(st.data())
def test_every_plane_of_a_window_has_one_owner(data: st.DataObject) -> None:
    num_ranks, slab = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5))
    side = num_ranks * slab
    count = data.draw(st.integers(1, side))
    window = Window(data.draw(st.integers(0, side - 1)) if count < side else 0, count)
    planes = [
        (run.in_window + step, owner * slab + run.in_slab + step)
        for owner in range(num_ranks)
        for run in runs_of(window, owner, slab, side)
        for step in range(run.count)
    ]
    assert sorted(planes) == [(place, (window.first + place) % side) for place in range(count)]


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_wherever_particles_are_their_pull_has_the_bits_of_one_rank(num_ranks: int, tmp_path: Path) -> None:
    """Near home, all in another slab, boxes away, and everywhere."""
    places = [noise((3, 8, 8, 8)) * spread for spread in (5.0, 5.0, 5.0, 400.0)]
    for place, drift_mpc_per_h in zip(places, (0.0, 170.0, -720.0, 0.0), strict=True):
        place[0] += drift_mpc_per_h
    sides = [16, 24]
    found = on_ranks(num_ranks, tmp_path, kicked, [place.numpy() for place in places], sides)
    expected = []
    for place, side in product(places, sides):
        momentum = torch.zeros_like(place)
        Gravity(Mesh(side=side, box_mpc_per_h=BOX, device=CPU)).kick(momentum, place, 0.7, is_sharp=True)
        expected.append(momentum.numpy())
    for one, parts in zip(expected, zip(*found, strict=True), strict=True):
        assert np.array_equal(np.concatenate(parts, axis=1), one)


def test_planes_go_to_their_owners_and_come_from_them(tmp_path: Path) -> None:
    cases = [
        [Window(0, 8), Window(0, 8), Window(0, 8), Window(0, 8)],
        [Window(7, 4), Window(1, 1), Window(0, 7), Window(5, 6)],
        [Window(1, 7), Window(3, 7), Window(5, 7), Window(7, 7)],
    ]
    all_found = on_ranks(4, tmp_path, all_there_and_back, cases, 8)
    for windows, found in zip(cases, zip(*all_found, strict=True), strict=True):
        planes = [[(window.first + step) % 8 for step in range(window.count)] for window in windows]
        sums = np.concatenate([total for total, _ in found])
        assert sums[:, 3, 5].tolist() == [sum(plane in each for each in planes) for plane in range(8)]
        assert [fetched[:, 3, 5].tolist() for _, fetched in found] == planes


def test_particles_that_are_nowhere_are_refused(tmp_path: Path) -> None:
    assert on_ranks(2, tmp_path, nowhere) == ["ValueError: particles are displaced by what is no number."] * 2


def test_ranks_that_cannot_have_equally_many_planes_are_refused(tmp_path: Path) -> None:
    (found, *_) = on_ranks(3, tmp_path, transforms, 8)
    assert found == "ValueError: 8 planes are no multiple of 3 ranks."
