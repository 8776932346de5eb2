"""Shape of the linear power spectrum from CAMB, an optional package (extra ``camb``).

CAMB takes about a second for a cosmology: the tables of the last ones are kept, in memory and below the
user's cache, named by a hash of all that decides them, the version of CAMB among it.
"""

import contextlib
import hashlib
import importlib
import io
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.durable_file import durable_file
from cosmology.parameters import Parameters

Floats = NDArray[np.float64]

_LEAST_K, _MOST_K, _NUM_K = 1e-4, 20.0, 1200
_MAX_FILE_BYTES = 1 << 20
_DIGEST_BYTES = 32
"""Behind the table its SHA-256: a flipped bit would be a universe of no cosmology."""


def camb_shape(parameters: Parameters, cmb_temperature_k: float) -> Callable[[Floats], Floats]:
    """P(k) of k [h/Mpc] at redshift 0 up to a factor: interpolated in log k, beyond the table as a power law.

    Raises:
        DatasetError: when CAMB is not installed or refuses the parameters.
    """
    log_k, log_power = camb_table(parameters, cmb_temperature_k)
    low, high = (_slope(log_k, log_power, end) for end in (slice(0, 2), slice(-2, None)))

    def shape(k: Floats) -> Floats:
        asked = np.log(k)
        inside = np.interp(asked, log_k, log_power)
        below, above = np.minimum(asked - log_k[0], 0), np.maximum(asked - log_k[-1], 0)
        return np.exp(inside + low * below + high * above)

    return shape


@lru_cache(maxsize=64)
def camb_table(parameters: Parameters, cmb_temperature_k: float) -> tuple[Floats, Floats]:
    """Table of one cosmology: ln k [h/Mpc] and ln P.

    Raises:
        DatasetError: when CAMB is not installed or refuses the parameters.
    """
    camb = _camb()
    path = _folder() / f"{_name(parameters, cmb_temperature_k, camb.__version__)}.npy"
    table = _kept(path)
    if table is None:
        table = _computed(camb, parameters, cmb_temperature_k)
        _keep(path, table)
    return table[0], table[1]


def _camb() -> Any:  # a package without types
    try:
        return importlib.import_module("camb")
    except ImportError as error:
        raise DatasetError(
            f"linear power by CAMB needs the package camb, which cannot be imported ({error}); "
            "install the extra camb, or use linear_power: eisenstein_hu."
        ) from error


def _computed(camb: Any, parameters: Parameters, cmb_temperature_k: float) -> Floats:
    """Flat LCDM with massless neutrinos; matter is all baryons and cold dark matter."""
    h = parameters.little_h
    try:
        asked = camb.set_params(
            H0=parameters.hubble_km_per_s_per_mpc,
            ombh2=parameters.baryon_density * h * h,
            omch2=(parameters.matter_density - parameters.baryon_density) * h * h,
            omk=0.0,
            mnu=0.0,
            TCMB=cmb_temperature_k,
            ns=parameters.spectral_index,
            As=2e-9,
        )
        asked.WantCls = False
        asked.set_matter_power(redshifts=[0.0], kmax=_MOST_K * h * 1.01)
        results = camb.get_results(asked)
        k, _, power = results.get_matter_power_spectrum(minkh=_LEAST_K, maxkh=_MOST_K, npoints=_NUM_K)
    except (camb.CAMBError, ValueError) as error:
        raise DatasetError(f"CAMB refuses {parameters}: {error}; use other parameters.") from error
    return np.log(np.stack([k, power[0]]))


def _slope(log_k: Floats, log_power: Floats, end: slice) -> float:
    (k1, k2), (p1, p2) = log_k[end], log_power[end]
    return float((p2 - p1) / (k2 - k1))


def _name(parameters: Parameters, cmb_temperature_k: float, version: str) -> str:
    # sigma8 only scales the table.
    decides = (*parameters.physical[2:], parameters.matter_density, parameters.baryon_density)
    numbers = (*decides, cmb_temperature_k, _LEAST_K, _MOST_K)
    words = [*(float(number).hex() for number in numbers), str(_NUM_K), version]
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


def _folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "saih" / "linear-power"


def _kept(path: Path) -> Floats | None:
    """A table that was kept whole; a damaged one is computed again."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        data = path.read_bytes()
        content, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            return None
        table = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    is_whole = table.shape == (2, _NUM_K) and table.dtype == np.float64 and bool(np.isfinite(table).all())
    return table if is_whole else None


def _keep(path: Path, table: Floats) -> None:
    content = io.BytesIO()
    np.save(content, table, allow_pickle=False)
    no_harm = contextlib.suppress(OSError, DatasetError)
    with no_harm, durable_file(path) as temporary:
        temporary.write_bytes(content.getvalue() + hashlib.sha256(content.getbuffer()).digest())
