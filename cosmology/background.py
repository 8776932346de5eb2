"""Expansion and growth of structure in flat LCDM without radiation."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cosmology.parameters import Parameters

_START = 1e-3  # matter dominates to 1 part in 1e8, so the growing mode starts as D = a


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Growth at one scale factor; D1 is 1 at redshift 0, D2 tends to -3/7 D1^2 early."""

    scale_factor: float
    first: float
    """D1: displacement x = q + D1 psi1 + D2 psi2."""
    second: float
    first_momentum: float
    """a^3 E dD1/da: momentum p = a^2 dx/dt in units of H0."""
    second_momentum: float


def expansion(parameters: Parameters, scale_factor: float) -> float:
    """E(a) = H(a)/H0."""
    matter = parameters.matter_density
    return math.sqrt(matter * scale_factor**-3 + 1 - matter)


def growth(parameters: Parameters) -> Callable[[float], Growth]:
    """Growth as a function of the scale factor, from 0.001 to 1.

    Integrates in ln a the fluid equations of first and second order (Bernardeau et al. 2002,
    doi:10.1016/S0370-1573(02)00135-7, eqs. 98 and 106), with F = 2 + dlnH/dlna:
    D1'' + F D1' = 3/2 Om(a) D1 and D2'' + F D2' = 3/2 Om(a) (D2 - D1^2).
    """
    solution = _integrate(parameters)
    norm = float(solution(0.0)[0])

    def at(scale_factor: float) -> Growth:
        first, first_rate, second, second_rate = solution(math.log(scale_factor))
        per_rate = scale_factor**2 * expansion(parameters, scale_factor)
        return Growth(
            scale_factor=scale_factor,
            first=float(first) / norm,
            second=float(second) / norm**2,
            first_momentum=per_rate * float(first_rate) / norm,
            second_momentum=per_rate * float(second_rate) / norm**2,
        )

    return at


def _integrate(parameters: Parameters) -> Callable[[float], np.ndarray]:
    """D1, dD1/dlna, D2, dD2/dlna as a function of ln a, normalised to D1 = a early."""

    def rates(log_a: float, state: np.ndarray) -> tuple[float, float, float, float]:
        first, first_rate, second, second_rate = state
        scale_factor = math.exp(log_a)
        matter = parameters.matter_density * scale_factor**-3 / expansion(parameters, scale_factor) ** 2
        friction = 2 - 1.5 * matter
        return (
            first_rate,
            1.5 * matter * first - friction * first_rate,
            second_rate,
            1.5 * matter * (second - first * first) - friction * second_rate,
        )

    from scipy.integrate import solve_ivp  # noqa: PLC0415 - slow to load, and ranks that only train need none

    early = (_START, _START, -3 / 7 * _START**2, -6 / 7 * _START**2)
    span = (math.log(_START), 0.0)
    return solve_ivp(rates, span, early, method="DOP853", rtol=1e-9, atol=1e-15, dense_output=True).sol
