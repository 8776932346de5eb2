"""Initial waves of a universe: Gaussian numbers that are hashes of (seed, signed wave vector).

Nothing depends on how the mesh is divided or how fine it is: a slab holds the rows of the full array
bit for bit, and a finer mesh only adds waves. Arithmetic is float64 and rounded once, so that vector
and scalar code paths of a transform library round alike.
"""

import math
from collections.abc import Iterator
from enum import Enum

import numpy as np
import torch
from jaxtyping import Complex64, Int64
from torch import Tensor

from cosmology.linear_power import linear_power
from cosmology.mesh import Grid, Indices, fundamental_h_per_mpc
from cosmology.parameters import Parameters
from cosmology.power_kind import PowerKind
from cosmology.splitmix import FIRST_FACTOR, INCREMENT, SECOND_FACTOR, hash_of, signed

_STREAM = 0x77_61_76_65  # keeps these draws apart from those of the parameters
_KEY_BITS = 21
_KEY_OFFSET = 1 << (_KEY_BITS - 1)
_PHASE_KEY = 0xD1B54A32D192ED03
_WAVES_AT_ONCE = {"cpu": 1 << 15}
_WAVES_AT_ONCE_ON_DEVICE = 1 << 26


class Amplitude(Enum):
    """How the size of each wave is drawn; phases are always uniform."""

    GAUSSIAN = "gaussian"
    FIXED = "fixed"
    """All at the rms (Angulo and Pontzen 2016, doi:10.1093/mnrasl/slw098): validation, not data."""


def linear_waves(
    grid: Grid,
    parameters: Parameters,
    seed: int,
    amplitude: Amplitude = Amplitude.GAUSSIAN,
    kind: PowerKind = PowerKind.EISENSTEIN_HU,
) -> Complex64[Tensor, "x y z"]:
    """Transform of the linear overdensity at redshift 0, in the convention of ``Grid.to_waves``.

    Raises:
        DatasetError: when the asked kind of power cannot be had here.
    """
    lengths = np.sqrt(np.arange(3 * (grid.side // 2) ** 2 + 1)) * fundamental_h_per_mpc(grid)
    rms = np.sqrt(linear_power(parameters, kind)(lengths) / grid.box_mpc_per_h**3) * grid.side**3
    table = torch.from_numpy(rms).to(torch.float32).to(grid.device)
    x, y, z = grid.wave_indices()
    waves = torch.empty((len(x), y.shape[1], z.shape[2]), dtype=torch.complex64, device=grid.device)
    for rows in _row_blocks(waves):
        squared = x[rows] * x[rows] + y * y + z * z
        white = _white_waves((x[rows], y, z), grid.side // 2, seed, amplitude)
        torch.mul(white, table.index_select(0, squared.view(-1)).view(squared.shape), out=waves[rows])
    return waves


def white_waves(
    grid: Grid, seed: int, amplitude: Amplitude = Amplitude.GAUSSIAN
) -> Complex64[Tensor, "x y z"]:
    """Complex waves of unit variance, those that ``grid`` holds.

    The mean and the Nyquist planes are 0. On the plane of no waves along the last axis, one of each
    pair of opposite wave vectors is the conjugate of the other, as a real field needs.
    """
    x, y, z = grid.wave_indices()
    waves = torch.empty((len(x), y.shape[1], z.shape[2]), dtype=torch.complex64, device=grid.device)
    for rows in _row_blocks(waves):
        waves[rows] = _white_waves((x[rows], y, z), grid.side // 2, seed, amplitude)
    return waves


def _row_blocks(waves: Complex64[Tensor, "x y z"]) -> Iterator[slice]:
    """Parts of the first axis: hashes take many times the memory of waves."""
    rows, row_size = len(waves), max(1, waves[0].numel())
    at_once = max(1, _WAVES_AT_ONCE.get(waves.device.type, _WAVES_AT_ONCE_ON_DEVICE) // row_size)
    return (slice(start, start + at_once) for start in range(0, rows, at_once))


def _white_waves(
    indices: Indices, nyquist: int, seed: int, amplitude: Amplitude
) -> Complex64[Tensor, "x y z"]:
    x, y, z = indices
    is_mirror = (z == 0) & ((x < 0) | ((x == 0) & (y < 0)))
    key = _key_of(torch.where(is_mirror, -x, x), torch.where(is_mirror, -y, y), z)
    radius_hash = _splitmix64(key ^ signed(hash_of(seed, _STREAM)))
    phase = _fraction(_splitmix64(radius_hash ^ signed(_PHASE_KEY))) * (2 * math.pi)
    if amplitude is Amplitude.FIXED:
        radius = torch.ones_like(phase)
    else:
        radius = torch.sqrt(-torch.log(_fraction(radius_hash)))
    waves = torch.polar(radius, torch.where(is_mirror, -phase, phase)).to(torch.complex64)
    is_empty = (x == -nyquist) | (y == -nyquist) | (z == nyquist) | ((x == 0) & (y == 0) & (z == 0))
    return waves.masked_fill(is_empty, 0)


def _key_of(x: Tensor, y: Tensor, z: Tensor) -> Int64[Tensor, "rows n m"]:
    """One integer for each wave vector of less than 2^20 waves per axis."""
    return ((x + _KEY_OFFSET) << (2 * _KEY_BITS)) | ((y + _KEY_OFFSET) << _KEY_BITS) | z


def _splitmix64(value: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
    """``splitmix.splitmix64`` on the two's complement bits of each number."""
    value = value + signed(INCREMENT)
    value = (value ^ _shift_right(value, 30)) * signed(FIRST_FACTOR)
    value = (value ^ _shift_right(value, 27)) * signed(SECOND_FACTOR)
    return value ^ _shift_right(value, 31)


def _shift_right(value: Int64[Tensor, "..."], bits: int) -> Int64[Tensor, "..."]:
    """Logical shift; torch's own drags the sign along."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def _fraction(value: Int64[Tensor, "..."]) -> Tensor:
    """Uniform float64 in (0, 1), never 0 or 1: safe in a logarithm."""
    return (_shift_right(value, 12).to(torch.float64) + 0.5) * 2.0**-52
