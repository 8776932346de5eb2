"""The data of a CosmoFlow problem: from sizes as people write them to the definition of a data set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

from augment.data import DataShape, bytes_of, least_box, samples_filling, side_of, universes_giving
from augment.problem import ProblemError, Shape, Value
from cosmology.architecture import ArchitectureError, num_stages
from cosmology.definition import (
    REDSHIFT_ORDER,
    START_SCALE_FACTOR,
    DatasetDefinition,
    DatasetError,
    PowerKind,
    Reuse,
)
from cosmology.definition_check import (
    LEAST_BASE_BOX_MPC_PER_H,
    MAX_RESOLUTION,
    MAX_SIDE,
    MAX_UNIVERSES,
    check_redshifts,
)

DATA_SIZES: Mapping[str, str] = {
    "samples": "grids of the data set, at least one for each universe",
    "resolution": "side of a grid [voxels], a power of two of at least 8",
    "channels": f"redshifts of a grid, 1 to {len(REDSHIFT_ORDER)}",
    "universes": "independent simulations that the samples are cut from; if not given, enough for "
    "separate cuts, and one for every 8 samples; `fewest` asks for separate cuts only",
    "bytes": "instead of samples: size of all grids, such as '1.6 TB', reached by the fewest samples",
    "redshifts": "instead of channels: the redshifts themselves, such as '0, 0.5, 2'",
    "coarsening": "simulated voxels that are summed into one of a grid, per axis (1)",
    "voxel": "side of a grid's voxel [Mpc/h] at H0 = 70; 1 is the reference's",
    "box": "side of a universe [Mpc/h] at H0 = 70, at least 284.5; stated, it keeps the long waves of a "
    "universe while the resolution grows",
    "steps": "steps of a simulation (20)",
    "force_mesh": "cells of its force mesh for each particle, per axis (2)",
    "linear_power": "where its linear power comes from, eisenstein_hu or camb (eisenstein_hu)",
}
FEWEST = "fewest"
"""Instead of a number of universes."""

_MOST_SAMPLES_OF_UNIVERSE = 8
"""By default; samples of one universe share their label, so small grids would be cut from too few."""
_MOST_SAMPLES = 10**12
_LEAST_MPC_PER_H, _MOST_MPC_PER_H = 0.01, 65536.0
_LONGEST_LIST = 1000

Size = TypeVar("Size")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The sizes of a data shape, each one allowed; what is not given is its default or None."""

    samples: int | None
    num_bytes: int | None
    universes: int | str | None
    resolution: int
    redshifts: tuple[float, ...]
    coarsening: int
    voxel: float | None
    box: float | None
    steps: int
    force_mesh: int
    linear_power: str


def data_definition(shape: Shape, faults: list[str]) -> DatasetDefinition | None:
    """The data set of a data shape, of seed 0; or None, and all that is wrong added to ``faults``."""
    definition, own_faults = _known_definition(shape, tuple(type(value) for value in shape.values()))
    faults += own_faults
    return definition


@lru_cache(maxsize=4096)
def _known_definition(
    shape: Shape, _kinds: tuple[type, ...]
) -> tuple[DatasetDefinition | None, tuple[str, ...]]:
    """The definition or what is wrong, found once: sweeps have many models for each data shape."""
    faults = [
        f"the data shape has no size {name!r}; its sizes are {', '.join(DATA_SIZES)}."
        for name in shape
        if name not in DATA_SIZES
    ]
    asked = _asked(shape, faults)
    if asked is None or faults:
        return None, tuple(faults)
    try:
        return _definition(asked), ()
    except (DatasetError, ProblemError) as error:
        return None, (str(error),)


def special_words(shape: Shape, definition: DatasetDefinition) -> list[str]:
    """What a label says of data that is not as it is by default."""
    words = []
    if any(name in shape for name in ("voxel", "box", "coarsening")):
        words.append(f"voxels of {definition.voxel_mpc_per_h:g} Mpc/h")
    if "redshifts" in shape:
        words.append(f"redshifts {', '.join(f'{redshift:g}' for redshift in definition.redshifts)}")
    return words


def _asked(shape: Shape, faults: list[str]) -> _Asked | None:
    """The sizes, read one by one; each that cannot be read adds a fault."""

    def read(name: str, reading: Callable[[Shape, str], Size], default: Size) -> Size:
        if name not in shape:
            return default
        try:
            return reading(shape, name)
        except ProblemError as error:
            faults.append(str(error))
            return default

    found = len(faults)
    asked = _Asked(
        samples=read("samples", _whole(_MOST_SAMPLES), None),
        num_bytes=read("bytes", _bytes, None),
        universes=read("universes", _universes, None),
        resolution=read("resolution", _resolution, 0),
        redshifts=read("redshifts", _redshifts, read("channels", _channels, ())),
        coarsening=read("coarsening", _whole(MAX_SIDE), 1),
        voxel=read("voxel", _length, None),
        box=read("box", _length, None),
        steps=read("steps", _whole(10_000), 20),
        force_mesh=read("force_mesh", _whole(4), 2),
        linear_power=read("linear_power", _power, str(PowerKind.EISENSTEIN_HU)),
    )
    faults += _absences(shape, asked)
    return asked if len(faults) == found else None


def _absences(shape: Shape, asked: _Asked) -> list[str]:
    """What is not said, or said twice."""
    faults = []
    if "samples" not in shape and "bytes" not in shape:
        faults.append("samples is missing; give a whole number from 1, or bytes, such as '1.6 TB'.")
    if "samples" in shape and "bytes" in shape:
        both = f"samples ({_short(shape['samples'])}) and bytes ({_short(shape['bytes'])})"
        faults.append(f"both {both} are given; leave one.")
    if "resolution" not in shape:
        faults.append(f"resolution is missing; give a whole number from 1 to {MAX_RESOLUTION}.")
    if "channels" not in shape and "redshifts" not in shape:
        faults.append(
            f"channels is missing; give a whole number from 1 to {len(REDSHIFT_ORDER)}, or redshifts."
        )
    if "channels" in shape and "redshifts" in shape and shape["channels"] != len(asked.redshifts):
        faults.append(
            f"channels is {_short(shape['channels'])}, but redshifts are {len(asked.redshifts)}; "
            "leave channels out."
        )
    return faults


def _definition(asked: _Asked) -> DatasetDefinition:
    box, side = _box_and_side(asked)
    one = DatasetDefinition(
        seed=0,
        num_samples=1,
        num_universes=1,
        resolution=asked.resolution,
        redshifts=asked.redshifts,
        simulation_side=side,
        base_box_mpc_per_h=box,
        coarsening=asked.coarsening,
        num_steps=asked.steps,
        force_mesh_factor=asked.force_mesh,
        linear_power=PowerKind(asked.linear_power),
    )
    samples = _samples(asked)
    universes = _universes_for(samples, asked.universes, one.crops_per_universe)
    return _grown(one, samples, universes)


def _box_and_side(asked: _Asked) -> tuple[float, int]:
    """The box [Mpc/h] and the particles along it; 0 leaves it to the definition.

    Stated voxels stand in the smallest box that is no small universe and holds a crop.
    """
    if asked.voxel is None:
        return asked.box or 0.0, 0
    simulated = asked.voxel / asked.coarsening
    least = max(LEAST_BASE_BOX_MPC_PER_H, asked.voxel * asked.resolution)
    box = asked.box or least_box(simulated, least)
    return box, side_of(box, simulated)


def _samples(asked: _Asked) -> int:
    """The samples asked for, or the fewest that reach the bytes."""
    if asked.samples is not None:
        return asked.samples
    shape = DataShape(samples=1, resolution=asked.resolution, channels=len(asked.redshifts))
    samples = samples_filling(asked.num_bytes or 1, shape.sample_bytes)
    if samples > _MOST_SAMPLES:
        raise ProblemError(f"bytes make {samples} samples, above {_MOST_SAMPLES}; give fewer.")
    return samples


def _universes_for(samples: int, asked: int | str | None, crops_per_universe: int) -> int:
    """The universes asked for, or the fewest of which the samples are crops, or one for every 8 of those."""
    if isinstance(asked, int):
        return asked
    crops = crops_per_universe if asked == FEWEST else min(_MOST_SAMPLES_OF_UNIVERSE, crops_per_universe)
    return universes_giving(samples, crops)


def _grown(one: DatasetDefinition, samples: int, universes: int) -> DatasetDefinition:
    """The data set of one sample with as many as asked for, reusing crops where their labels allow it."""
    if samples < universes:
        raise ProblemError(
            f"samples ({samples}) are fewer than universes ({universes}); "
            "give at least one sample for each universe, or fewer universes."
        )
    reuse = Reuse.SYMMETRIES_AND_ROLLS if one.is_whole_box else Reuse.CUBE_SYMMETRIES
    most = one.crops_per_universe * replace(one, reuse=reuse).views_per_crop
    if samples > most * universes:
        raise ProblemError(
            f"{universes} universes give at most {most * universes} different samples of "
            f"{one.resolution}^3 (cuts, rotated and reflected), but samples is {samples}; "
            f"give at least {-(-samples // most)} universes, or leave universes out."
        )
    return replace(one, num_samples=samples, num_universes=universes, reuse=reuse)


def _whole(at_most: int) -> Callable[[Shape, str], int]:
    return lambda shape, name: shape.count(name, at_most=at_most)


def _resolution(shape: Shape, name: str) -> int:
    resolution = shape.count(name, at_most=MAX_RESOLUTION)
    try:
        num_stages(resolution)
    except ArchitectureError as error:
        raise ProblemError(str(error)) from error
    return resolution


def _channels(shape: Shape, name: str) -> tuple[float, ...]:
    return REDSHIFT_ORDER[: shape.count(name, at_most=len(REDSHIFT_ORDER))]


def _redshifts(shape: Shape, name: str) -> tuple[float, ...]:
    """Numbers with commas or blanks between them, or one number."""
    value = shape[name]
    try:
        text = value if isinstance(value, str) else repr(value)
        redshifts = tuple(float(word) for word in re.split(r"[,\s]+", text.strip()[:_LONGEST_LIST]))
        check_redshifts(redshifts, START_SCALE_FACTOR)
    except (OverflowError, ValueError) as error:
        reason = f" ({error})" if isinstance(error, DatasetError) else ""
        raise ProblemError(
            f"{name} is {_short(value)}{reason}; write them as '0, 0.5, 1.5, 3', first channel first."
        ) from error
    return redshifts


def _bytes(shape: Shape, name: str) -> int:
    value = shape[name]
    return bytes_of(value) if isinstance(value, str) else shape.count(name)


def _universes(shape: Shape, name: str) -> int | str:
    return FEWEST if shape[name] == FEWEST else shape.count(name, at_most=MAX_UNIVERSES)


def _length(shape: Shape, name: str) -> float:
    value = shape[name]
    if isinstance(value, bool | str) or not _LEAST_MPC_PER_H <= value <= _MOST_MPC_PER_H:
        raise ProblemError(
            f"{name} is {_short(value)}; give {_LEAST_MPC_PER_H:g} to {_MOST_MPC_PER_H:g} [Mpc/h]."
        )
    return float(value)


def _power(shape: Shape, name: str) -> str:
    kinds = [str(kind) for kind in PowerKind]
    if shape[name] not in kinds:
        raise ProblemError(f"{name} is {_short(shape[name])}; use {' or '.join(kinds)}.")
    return str(shape[name])


def _short(value: Value) -> str:
    """A value as an error shows it, however long it is."""
    is_long = isinstance(value, int) and abs(value) > _MOST_SAMPLES
    return "beyond all reason" if is_long else repr(value)[:60]
