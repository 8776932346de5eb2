"""What decides a data set and the universes behind it: plain values, their hashes and their sizes.

Arithmetic only (no torch, no numpy), so that planning may import it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

SCHEMA_VERSION = 1
REDSHIFTS = (0.0, 0.5, 1.5, 3.0)
"""Redshift of each channel, first channel first; a data set of C channels has the first C."""
START_SCALE_FACTOR = 0.1
"""Scale factor at which second-order perturbation theory hands over to the particle mesh."""
NUM_TARGETS = 4
"""Omega_m, sigma_8, n_s and H_0, each normalised to [-1, 1]."""
NUM_SYMMETRIES = 48
"""Rotations and reflections of a cube."""
MAX_CHUNK_BYTES = 2**32 - 1
"""HDF5's limit for one chunk, which here holds one sample."""

_COUNT_BYTES = 2
_TARGET_BYTES = 4
_FILE_OVERHEAD_BYTES = 65536
_MIN_RESOLUTION = 8
_MAX_SIDE = 1024
_MIN_BOX_MPC_PER_H = 288.0


class DatasetError(ValueError):
    """A data set that cannot exist, is not there, or does not verify; the message says what to do."""


class Reuse(StrEnum):
    """What happens when more samples are asked for than the universes have separate crops."""

    NONE = "none"
    """Refuse, and say how many universes are needed."""
    CUBE_SYMMETRIES = "cube_symmetries"
    """Show crops again, rotated or reflected: same labels, no new information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseDefinition:
    """All that decides the bits of a set of universes, on one kind of device."""

    seed: int
    side: int
    """Particles, and voxels, per axis."""
    num_steps: int
    """Force evaluations from the start to redshift 0."""
    force_mesh_factor: int
    """Force-mesh cells per particle spacing, per axis."""

    @property
    def base_box_mpc_per_h(self) -> float:
        """Comoving box at H0 = 70 km/s/Mpc [Mpc/h]: voxels of 1 Mpc/h, but never a small universe.

        Below 256 Mpc/h the waves that the box lacks would lower P(k) by 15-25 % at all k. H0 shrinks
        the box by up to 10 %, so 288 Mpc/h is the least.
        """
        return max(_MIN_BOX_MPC_PER_H, float(self.side))

    @property
    def canonical(self) -> dict[str, object]:
        """Everything that decides a universe, as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            **asdict(self),
            "base_box_mpc_per_h": self.base_box_mpc_per_h,
            "redshifts": list(REDSHIFTS),
            "start_scale_factor": START_SCALE_FACTOR,
        }

    @property
    def universes_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        return _hash_of(self.canonical)

    @property
    def universe_bytes(self) -> int:
        """Upper bound of one universe on disk."""
        return len(REDSHIFTS) * self.side**3 * _COUNT_BYTES + _FILE_OVERHEAD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDefinition:
    """All that decides a data set: samples are crops of simulated universes.

    Sample ``i`` is crop ``i // num_universes`` of universe ``i % num_universes``, so any leading part of
    a data set is as diverse as it can be. Split by universe, never by sample: crops of one universe
    share their label.

    Raises:
        DatasetError: for a size that is odd or impossible, with what would do.
    """

    seed: int
    num_samples: int
    num_universes: int
    resolution: int
    """Voxels of a sample per axis: a power of two."""
    num_channels: int = len(REDSHIFTS)
    simulation_side: int = 64
    """Particles of a universe per axis; a larger ``resolution`` raises it to itself."""
    num_steps: int = 10
    force_mesh_factor: int = 2
    reuse: Reuse = Reuse.NONE

    def __post_init__(self) -> None:
        _check_whole_numbers(self)
        object.__setattr__(self, "simulation_side", max(self.simulation_side, self.resolution))
        _check_shape(self)
        _check_solver(self)
        _check_number_of_crops(self)

    @property
    def universes(self) -> UniverseDefinition:
        """What decides the universes: data sets that agree on it share them."""
        return UniverseDefinition(
            seed=self.seed,
            side=self.simulation_side,
            num_steps=self.num_steps,
            force_mesh_factor=self.force_mesh_factor,
        )

    @property
    def canonical(self) -> dict[str, object]:
        """Everything that decides the data set, as plain JSON values."""
        return {
            "schema_version": SCHEMA_VERSION,
            "universes": self.universes.canonical,
            "num_samples": self.num_samples,
            "num_universes": self.num_universes,
            "resolution": self.resolution,
            "num_channels": self.num_channels,
            "reuse": str(self.reuse),
        }

    @property
    def dataset_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        return _hash_of(self.canonical)

    @property
    def num_particle_steps(self) -> int:
        """Steps of all particles of all universes: what making the data set costs."""
        return self.num_universes * self.simulation_side**3 * self.num_steps

    @property
    def crops_per_universe(self) -> int:
        """Separate sub-cubes of one universe."""
        return int((self.simulation_side // self.resolution) ** 3)

    @property
    def sample_shape(self) -> tuple[int, int, int, int]:
        """Channels and voxels per axis of one sample."""
        return (self.num_channels, self.resolution, self.resolution, self.resolution)

    @property
    def sample_bytes(self) -> int:
        """Bytes of the counts and targets of one sample, as stored (uncompressed)."""
        return math.prod(self.sample_shape) * _COUNT_BYTES + NUM_TARGETS * _TARGET_BYTES

    @property
    def dataset_bytes(self) -> int:
        """Bytes of the counts and targets of the whole data set, as stored (uncompressed)."""
        return self.num_samples * self.sample_bytes

    @property
    def shard_disk_bytes(self) -> int:
        """Upper bound of one shard on disk."""
        return self.samples_of(0) * (self.sample_bytes + 256) + _FILE_OVERHEAD_BYTES

    @property
    def disk_bytes(self) -> int:
        """Upper bound of the shards and universes of the data set on disk."""
        return self.num_universes * (self.shard_disk_bytes + self.universes.universe_bytes)

    def samples_of(self, universe: int) -> int:
        """How many samples are cut from one universe."""
        return len(range(universe, self.num_samples, self.num_universes))


def _hash_of(canonical: Mapping[str, object]) -> str:
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_whole_numbers(definition: DatasetDefinition) -> None:
    least = {
        "seed": 0,
        "num_samples": 1,
        "num_universes": 1,
        "resolution": _MIN_RESOLUTION,
        "num_channels": 1,
        "simulation_side": _MIN_RESOLUTION,
        "num_steps": len(REDSHIFTS),
        "force_mesh_factor": 1,
    }
    for name, minimum in least.items():
        value = getattr(definition, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise DatasetError(f"{name} is {value!r}; give a whole number of at least {minimum}.")
    if definition.seed >= 2**63:
        raise DatasetError(f"seed is {definition.seed}; give one below 2^63.")
    if definition.num_channels > len(REDSHIFTS):
        raise DatasetError(
            f"num_channels is {definition.num_channels}; there are {len(REDSHIFTS)} redshift channels "
            f"(z = {', '.join(f'{z:g}' for z in REDSHIFTS)}), give at most {len(REDSHIFTS)}."
        )


def _check_shape(definition: DatasetDefinition) -> None:
    for name in ("resolution", "simulation_side"):
        value = getattr(definition, name)
        if not _is_power_of_two(value) or value > _MAX_SIDE:
            below = 2 ** (min(value, _MAX_SIDE).bit_length() - 1)
            near = f"{below}" if value > _MAX_SIDE else f"{below} or {2 * below}"
            raise DatasetError(
                f"{name} is {value}; give a power of two from {_MIN_RESOLUTION} to {_MAX_SIDE}, "
                f"such as {near}."
            )
    if definition.sample_bytes > MAX_CHUNK_BYTES:
        raise DatasetError(
            f"one sample of {definition.num_channels} x {definition.resolution}^3 counts takes "
            f"{definition.sample_bytes} bytes, above the {MAX_CHUNK_BYTES} that one HDF5 chunk may hold; "
            "use fewer channels or a lower resolution."
        )


def _check_solver(definition: DatasetDefinition) -> None:
    if definition.force_mesh_factor > 4:
        raise DatasetError(
            f"force_mesh_factor is {definition.force_mesh_factor}; use 1, 2, 3 or 4 "
            "(more adds cost, not accuracy)."
        )
    if not isinstance(definition.reuse, Reuse):
        raise DatasetError(f"reuse is {definition.reuse!r}; use Reuse.NONE or Reuse.CUBE_SYMMETRIES.")


def _check_number_of_crops(definition: DatasetDefinition) -> None:
    if definition.num_universes > definition.num_samples:
        raise DatasetError(
            f"{definition.num_universes} universes for {definition.num_samples} samples: some would have "
            f"none; use at most {definition.num_samples} universes."
        )
    symmetries = NUM_SYMMETRIES if definition.reuse is Reuse.CUBE_SYMMETRIES else 1
    per_universe = definition.crops_per_universe * symmetries
    if definition.num_samples > definition.num_universes * per_universe:
        needed = -(-definition.num_samples // per_universe)
        raise DatasetError(
            f"{definition.num_universes} universes of {definition.simulation_side}^3 have "
            f"{definition.num_universes * per_universe} samples of {definition.resolution}^3, but "
            f"{definition.num_samples} are asked for; use at least {needed} universes, a larger "
            "simulation_side, or reuse crops by cube symmetries."
        )


def _is_power_of_two(value: int) -> bool:
    return value & (value - 1) == 0
