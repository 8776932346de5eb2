"""Eisenstein-Hu power against colossus, and against CAMB within the fit's known few per cent."""

import json
from pathlib import Path

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus_cosmology

from cosmology.linear_power import linear_power, transfer
from cosmology.parameters import Parameters, parameters_of

K = np.geomspace(1e-3, 10, 200)
CORNERS = [
    parameters_of((0.0, 0.0, 0.0, 0.0)),
    parameters_of((1.0, -1.0, 1.0, -1.0)),
    parameters_of((-1.0, 1.0, -1.0, 1.0)),
]


@pytest.mark.parametrize("parameters", CORNERS)
def test_power_agrees_with_colossus(parameters: Parameters) -> None:
    theirs = colossus_cosmology.setCosmology(
        "corner",
        params={
            "flat": True,
            "H0": parameters.hubble_km_per_s_per_mpc,
            "Om0": parameters.matter_density,
            "Ob0": parameters.baryon_density,
            "sigma8": parameters.sigma8,
            "ns": parameters.spectral_index,
            "relspecies": False,
        },
        persistence="",
    )
    expected = theirs.matterPowerSpectrum(K, model="eisenstein98")
    assert linear_power(parameters)(K) == pytest.approx(expected, rel=1e-3)


def test_power_agrees_with_camb_within_the_known_error_of_the_fit() -> None:
    camb = json.loads((Path(__file__).parent / "camb_power.json").read_text())
    ratio = linear_power(Parameters())(np.array(camb["k"])) / np.array(camb["linear"]["0.0"])
    assert np.abs(ratio - 1).max() < 0.04


@pytest.mark.parametrize("parameters", CORNERS)
def test_variance_in_spheres_of_8_is_the_asked_sigma8(parameters: Parameters) -> None:
    log_k = np.linspace(np.log(1e-4), np.log(50), 20_000)
    k = np.exp(log_k)
    sphere = 3 * (np.sin(8 * k) - 8 * k * np.cos(8 * k)) / (8 * k) ** 3
    variance = np.trapezoid(linear_power(parameters)(k) * sphere**2 * k**3 / (2 * np.pi**2), log_k)
    assert np.sqrt(variance) == pytest.approx(parameters.sigma8, rel=1e-4)


def test_transfer_tends_to_one_on_the_largest_scales_and_the_mean_has_no_power() -> None:
    assert transfer(Parameters(), np.array([1e-6])) == pytest.approx(1, abs=1e-3)
    assert linear_power(Parameters())(np.array([0.0, 0.1]))[0] == 0
