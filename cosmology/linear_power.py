"""Linear matter power at redshift 0, one interface for every code: Eisenstein-Hu (own) or CAMB (optional).

Eisenstein-Hu is the form that the CosmoFlow data set used. Whatever the code, only the shape is its own: the
amplitude is set by the asked sigma8, so that both mean the same parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmology.camb_power import camb_shape
from cosmology.parameters import Parameters
from cosmology.power_kind import PowerKind

Floats = NDArray[np.float64]
Power = Callable[[Floats], Floats]

CMB_TEMPERATURE_K = 2.7255
"""Fixsen 2009, doi:10.1088/0004-637X/707/2/916."""
_SPHERE_MPC_PER_H = 8.0
_LOG_K = np.linspace(math.log(1e-5), math.log(1e2), 2048)
"""Of h/Mpc: all waves that matter to an integral over the power."""


def linear_power(parameters: Parameters, kind: PowerKind = PowerKind.EISENSTEIN_HU) -> Power:
    """P(k) [(Mpc/h)^3] of k [h/Mpc] at redshift 0, with the asked sigma8; P(0) = 0.

    Raises:
        DatasetError: when CAMB is asked for and cannot be had here.
    """
    shape = _shape_of(parameters, kind)
    grid = np.exp(_LOG_K)
    variance = np.trapezoid(
        shape(grid) * _sphere(grid * _SPHERE_MPC_PER_H) ** 2 * grid**3 / (2 * np.pi**2), _LOG_K
    )
    amplitude = parameters.sigma8**2 / float(variance)

    def power(k: Floats) -> Floats:
        positive = np.where(k > 0, k, 1.0)
        return np.where(k > 0, amplitude * shape(positive), 0.0)

    return power


def rms_displacement_mpc_per_h(power: Power) -> float:
    """Root mean square of linear displacements along one axis at redshift 0.

    By linear theory displacements are i k delta / k^2: its square is the integral of P(k) dk / (6 pi^2).
    """
    grid = np.exp(_LOG_K)
    return math.sqrt(float(np.trapezoid(power(grid) * grid, _LOG_K)) / (6 * np.pi**2))


def transfer(parameters: Parameters, k: Floats) -> Floats:
    """Transfer function of k [h/Mpc] with baryon wiggles; 1 at k -> 0.

    Eisenstein and Hu 1998, doi:10.1086/305424, eqs. 8 to 24; equation numbers stand at the lines.
    """
    k_per_mpc = k * parameters.little_h
    scales = _scales_of(parameters)
    baryons = parameters.baryon_density / parameters.matter_density
    cold = _cold_transfer(scales, k_per_mpc)
    return baryons * _baryon_transfer(scales, k_per_mpc) + (1 - baryons) * cold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scales:
    """Lengths [Mpc], wave numbers [1/Mpc] and fitted constants of one cosmology."""

    matter: float
    """Omega_m h^2."""
    baryon_fraction: float
    cold_fraction: float
    equality_k: float
    sound_horizon: float
    silk_k: float
    drag_ratio: float
    """Baryon to photon momentum at the drag epoch."""
    growth_ratio: float
    """(1 + z_equality) / (1 + z_drag)."""


def _shape_of(parameters: Parameters, kind: PowerKind) -> Power:
    """Power up to a factor, of positive k."""
    if kind is PowerKind.CAMB:
        return camb_shape(parameters, CMB_TEMPERATURE_K)
    return lambda k: _eisenstein_hu(parameters, k)


def _eisenstein_hu(parameters: Parameters, k: Floats) -> Floats:
    return k**parameters.spectral_index * transfer(parameters, k) ** 2


def _sphere(x: Floats) -> Floats:
    """Fourier transform of a sphere of unit volume and radius, at k r = x."""
    return 3 * (np.sin(x) - x * np.cos(x)) / x**3


def _scales_of(parameters: Parameters) -> _Scales:
    theta = CMB_TEMPERATURE_K / 2.7
    matter = parameters.matter_density * parameters.little_h**2
    baryon = parameters.baryon_density * parameters.little_h**2
    equality_z = 2.5e4 * matter * theta**-4  # eq. 2
    equality_k = 7.46e-2 * matter * theta**-2  # eq. 3
    b1 = 0.313 * matter**-0.419 * (1 + 0.607 * matter**0.674)
    b2 = 0.238 * matter**0.223
    drag_z = 1291 * matter**0.251 / (1 + 0.659 * matter**0.828) * (1 + b1 * baryon**b2)  # eq. 4
    drag_ratio = 31.5 * baryon * theta**-4 * (1e3 / drag_z)  # eq. 5
    equality_ratio = 31.5 * baryon * theta**-4 * (1e3 / equality_z)
    horizon = (2 / (3 * equality_k)) * math.sqrt(6 / equality_ratio)
    horizon *= math.log(  # eq. 6
        (math.sqrt(1 + drag_ratio) + math.sqrt(drag_ratio + equality_ratio)) / (1 + math.sqrt(equality_ratio))
    )
    return _Scales(
        matter=matter,
        baryon_fraction=baryon / matter,
        cold_fraction=1 - baryon / matter,
        equality_k=equality_k,
        sound_horizon=horizon,
        silk_k=1.6 * baryon**0.52 * matter**0.73 * (1 + (10.4 * matter) ** -0.95),  # eq. 7
        drag_ratio=drag_ratio,
        growth_ratio=(1 + equality_z) / (1 + drag_z),
    )


def _pressureless(scales: _Scales, k: Floats, alpha: float, beta: float) -> Floats:
    """T0, eqs. 10, 19 and 20."""
    q = k / (13.41 * scales.equality_k)
    constant = 14.2 / alpha + 386 / (1 + 69.9 * q**1.08)
    logarithm = np.log(math.e + 1.8 * beta * q)
    return logarithm / (logarithm + constant * q * q)


def _cold_transfer(scales: _Scales, k: Floats) -> Floats:
    matter, baryons, cold = scales.matter, scales.baryon_fraction, scales.cold_fraction
    a1 = (46.9 * matter) ** 0.670 * (1 + (32.1 * matter) ** -0.532)
    a2 = (12.0 * matter) ** 0.424 * (1 + (45.0 * matter) ** -0.582)
    alpha = a1**-baryons * a2 ** -(baryons**3)  # eq. 11
    b1 = 0.944 / (1 + (458 * matter) ** -0.708)
    b2 = (0.395 * matter) ** -0.0266
    beta = 1 / (1 + b1 * (cold**b2 - 1))  # eq. 12
    blend = 1 / (1 + (k * scales.sound_horizon / 5.4) ** 4)  # eq. 18
    return blend * _pressureless(scales, k, 1, beta) + (1 - blend) * _pressureless(scales, k, alpha, beta)


def _baryon_transfer(scales: _Scales, k: Floats) -> Floats:
    """Eq. 21."""
    y, horizon = scales.growth_ratio, scales.sound_horizon
    root = math.sqrt(1 + y)
    envelope = y * (-6 * root + (2 + 3 * y) * math.log((root + 1) / (root - 1)))  # eq. 15
    alpha = 2.07 * scales.equality_k * horizon * (1 + scales.drag_ratio) ** -0.75 * envelope  # eq. 14
    node = 8.41 * scales.matter**0.435  # eq. 23
    fraction = scales.baryon_fraction
    beta = 0.5 + fraction + (3 - 2 * fraction) * math.sqrt((17.2 * scales.matter) ** 2 + 1)  # eq. 24
    shifted = horizon / (1 + (node / (k * horizon)) ** 3) ** (1 / 3)  # eq. 22
    plain = _pressureless(scales, k, 1, 1) / (1 + (k * horizon / 5.2) ** 2)
    damped = alpha / (1 + (beta / (k * horizon)) ** 3) * np.exp(-((k / scales.silk_k) ** 1.4))
    return (plain + damped) * np.sinc(k * shifted / math.pi)
