"""What no definition of data may be: every refusal says what was wrong and what would do."""

from collections.abc import Mapping
from typing import Any

from cosmology.dataset_error import DatasetError
from cosmology.redshifts import MAX_CHANNELS

MIN_SIDE = 8
MAX_RESOLUTION = 1024
MAX_SIDE = 4096
MAX_UNIVERSES = 2**40
MIN_BOX_MPC_PER_H = 256.0
"""Below it the waves that the box lacks would lower P(k) by 15-25 % at all k."""
LEAST_BASE_BOX_MPC_PER_H = MIN_BOX_MPC_PER_H / 0.9
"""The smallest H0 shrinks the box by a tenth."""
_MOST_BASE_BOX_MPC_PER_H = 65536.0


def check_whole_numbers(values: Mapping[str, object], least: Mapping[str, int]) -> None:
    """Refuse values that are not whole or below their least."""
    for name, minimum in least.items():
        value = values[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise DatasetError(f"{name} is {value!r}; give a whole number of at least {minimum}.")


def check_seed(seed: int) -> None:
    """Refuse seeds that 64-bit integers of files could not hold."""
    if seed >= 2**63:
        raise DatasetError(f"seed is {seed}; give one below 2^63.")


def check_power_of_two(name: str, value: int, least: int, most: int) -> None:
    """Refuse sides that halving would not bring down to one."""
    if value & (value - 1) or not least <= value <= most:
        inside = max(least, min(value, most))
        below = 2 ** (inside.bit_length() - 1)
        near = f"{below}" if inside in (least, most) else f"{below} or {2 * below}"
        raise DatasetError(f"{name} is {value}; give a power of two from {least} to {most}, such as {near}.")


def check_redshifts(redshifts: object, start_scale_factor: float) -> None:
    """Refuse lists that are no channels, or that reach back before the run starts."""
    before = 1 / start_scale_factor - 1
    if not isinstance(redshifts, tuple) or not 1 <= len(redshifts) <= MAX_CHANNELS:
        raise DatasetError(f"redshifts are {redshifts!r}; give a tuple of 1 to {MAX_CHANNELS} of them.")
    for redshift in redshifts:
        is_number = isinstance(redshift, int | float) and not isinstance(redshift, bool)
        if not is_number or not 0 <= redshift < before:
            raise DatasetError(
                f"redshift {redshift!r} is no output of a run from redshift {before:g} to today; "
                f"give numbers from 0 to below {before:g}."
            )
    if len({1 / (1 + redshift) for redshift in redshifts}) < len(redshifts):
        raise DatasetError(f"redshifts {redshifts} repeat themselves; give each once.")


def check_steps(num_steps: int, num_outputs: int) -> None:
    """Refuse runs with fewer steps than outputs, each of which stands at the end of one."""
    if num_steps < num_outputs:
        raise DatasetError(
            f"num_steps is {num_steps}; {num_outputs} redshifts of one run need at least {num_outputs}."
        )


def check_force_mesh(force_mesh_factor: int) -> None:
    """Refuse force meshes that would take memory and time for nothing."""
    if force_mesh_factor > 4:
        raise DatasetError(
            f"force_mesh_factor is {force_mesh_factor}; use 1, 2, 3 or 4 (more adds cost, not accuracy)."
        )


def check_box(base_box_mpc_per_h: Any) -> None:
    """Refuse boxes that lack the long waves."""
    is_number = isinstance(base_box_mpc_per_h, int | float) and not isinstance(base_box_mpc_per_h, bool)
    if not is_number or not LEAST_BASE_BOX_MPC_PER_H <= base_box_mpc_per_h <= _MOST_BASE_BOX_MPC_PER_H:
        shown = f"{base_box_mpc_per_h:g}" if isinstance(base_box_mpc_per_h, float) else base_box_mpc_per_h
        raise DatasetError(
            f"base_box_mpc_per_h is {shown}; give {LEAST_BASE_BOX_MPC_PER_H:.1f} to "
            f"{_MOST_BASE_BOX_MPC_PER_H:g} (288 by default): H0 shrinks the box by up to a tenth, and below "
            f"{MIN_BOX_MPC_PER_H:g} Mpc/h it would lack the long waves; small samples are crops."
        )


def check_crop(resolution: int, coarsening: int, side: int) -> None:
    """Refuse samples that are larger than the universe they are cut from."""
    if resolution * coarsening > side:
        each = f" of {coarsening}^3 particles' places each" if coarsening > 1 else ""
        raise DatasetError(
            f"the box is too small for its crops: {resolution} voxels per axis{each} need a simulation_side "
            f"of at least {resolution * coarsening}, but it is {side}; use a larger one (and box, to "
            "keep the voxels), or a lower resolution."
        )
