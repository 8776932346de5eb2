"""Growth against the integral solution, the known second-order fit, and colossus."""

import math

import pytest
from colossus.cosmology import cosmology as colossus_cosmology
from scipy.integrate import quad

from cosmology.background import expansion, growth
from cosmology.parameters import Parameters

CORNERS = [Parameters(matter_density=matter) for matter in (0.27, 0.30, 0.33)]


def growth_integral(parameters: Parameters, scale_factor: float) -> float:
    """Heath 1977: D1 proportional to E(a) times the integral of (a E)^-3."""
    integral, _ = quad(lambda a: (a * expansion(parameters, a)) ** -3, 1e-9, scale_factor, epsrel=1e-10)
    return expansion(parameters, scale_factor) * integral


@pytest.mark.parametrize("parameters", CORNERS)
@pytest.mark.parametrize("scale_factor", [0.02, 0.1, 0.25, 0.4, 2 / 3, 1.0])
def test_first_order_growth_is_the_growth_integral(parameters: Parameters, scale_factor: float) -> None:
    expected = growth_integral(parameters, scale_factor) / growth_integral(parameters, 1.0)
    assert growth(parameters)(scale_factor).first == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("redshift", [0.5, 1.5, 3.0])
def test_first_order_growth_agrees_with_colossus(redshift: float) -> None:
    theirs = colossus_cosmology.setCosmology(
        "reference",
        params={
            "flat": True,
            "H0": 70,
            "Om0": 0.3,
            "Ob0": 0.045,
            "sigma8": 0.8,
            "ns": 0.96,
            "relspecies": False,
        },
        persistence="",
    )
    ours = growth(Parameters())(1 / (1 + redshift)).first
    assert ours == pytest.approx(float(theirs.growthFactor(redshift)), rel=2e-5)


@pytest.mark.parametrize("scale_factor", [0.1, 0.5, 1.0])
def test_second_order_growth_follows_the_known_fit(scale_factor: float) -> None:
    """Bouchet et al. 1995: D2 = -3/7 D1^2 Om(a)^(-1/143), good to a few 1e-4 today."""
    parameters = Parameters()
    at = growth(parameters)(scale_factor)
    matter = parameters.matter_density * scale_factor**-3 / expansion(parameters, scale_factor) ** 2
    norm = growth(parameters)(1e-3).first / 1e-3  # the fit holds for D1 = a early
    first = at.first / norm
    assert at.second / norm**2 == pytest.approx(-3 / 7 * first**2 * matter ** (-1 / 143), rel=5e-4)


def test_momentum_factors_are_the_derivatives_of_growth() -> None:
    parameters, scale_factor, step = Parameters(), 0.5, 1e-4
    at = growth(parameters)
    before, here, after = at(scale_factor - step), at(scale_factor), at(scale_factor + step)
    factor = scale_factor**3 * expansion(parameters, scale_factor)
    assert here.first_momentum == pytest.approx(factor * (after.first - before.first) / (2 * step), rel=1e-6)
    assert here.second_momentum == pytest.approx(
        factor * (after.second - before.second) / (2 * step), rel=1e-6
    )


def test_expansion_today_is_one_and_matter_rules_early() -> None:
    parameters = Parameters()
    assert expansion(parameters, 1.0) == pytest.approx(1)
    assert expansion(parameters, 1e-3) == pytest.approx(math.sqrt(0.3e9), rel=1e-6)
