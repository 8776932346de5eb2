"""Interlaced meshes see less of the particle lattice than one mesh does."""

import numpy as np
import torch

from cosmology.background import growth
from cosmology.mesh import Mesh
from cosmology.modes import Amplitude, linear_waves
from cosmology.painting import overdensity
from cosmology.parameters import Parameters
from cosmology.perturbation import displacements
from cosmology.power_spectrum import Window, measure_particle_power, measure_power


def test_interlacing_takes_most_of_the_aliases_of_the_lattice_away() -> None:
    """At scale factor 0.1 the lattice is nearly whole; four times as fine a mesh hardly sees it."""
    mesh = Mesh(side=32, box_mpc_per_h=288.0, device=torch.device("cpu"))
    start, at = (
        displacements(mesh, linear_waves(mesh, Parameters(), 1, Amplitude.FIXED)),
        growth(Parameters())(0.1),
    )
    place = at.first * start.first + at.second * start.second
    truth = measure_power(overdensity(place, mesh.refined(4)), 288.0, Window.CLOUD_IN_CELL).power[:12]
    plain = measure_power(overdensity(place, mesh), 288.0, Window.CLOUD_IN_CELL).power[:12]
    interlaced = measure_particle_power(place, mesh).power[:12]
    assert np.abs(interlaced / truth - 1).max() < 0.3 * np.abs(plain / truth - 1).max()


def test_interlaced_power_of_smooth_particles_is_that_of_one_mesh() -> None:
    mesh = Mesh(side=64, box_mpc_per_h=288.0, device=torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    place = torch.randn(3, 32, 32, 32, generator=generator) * 40
    one = measure_power(overdensity(place, mesh), 288.0, Window.CLOUD_IN_CELL).power[:10]
    assert np.allclose(measure_particle_power(place, mesh).power[:10], one, rtol=0.02)
