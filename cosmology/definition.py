"""What decides a data set and the universes behind it: plain values, their hashes and their sizes.

Arithmetic only (no torch, no numpy), so that planning may import it.
"""

import math
from dataclasses import dataclass, replace

from cosmology.canonical import digest, plain_fields
from cosmology.choices import Reuse, Split, chosen
from cosmology.dataset_error import DatasetError
from cosmology.definition_check import (
    MAX_RESOLUTION,
    MAX_SIDE,
    MAX_UNIVERSES,
    MIN_SIDE,
    check_crop,
    check_power_of_two,
    check_redshifts,
    check_whole_numbers,
)
from cosmology.packed_size import packed_bytes
from cosmology.power_kind import PowerKind
from cosmology.redshifts import REDSHIFT_ORDER, REDSHIFTS, simulated_redshifts
from cosmology.universe_definition import (
    COUNT_BYTES,
    FILE_OVERHEAD_BYTES,
    SCHEMA_VERSION,
    START_SCALE_FACTOR,
    UniverseDefinition,
)

__all__ = [
    "REDSHIFTS",
    "REDSHIFT_ORDER",
    "SCHEMA_VERSION",
    "START_SCALE_FACTOR",
    "DatasetDefinition",
    "DatasetError",
    "PowerKind",
    "Reuse",
    "Split",
    "UniverseDefinition",
]

NUM_TARGETS = 4
"""Omega_m, sigma_8, n_s and H_0, each normalised to [-1, 1]."""
NUM_SYMMETRIES = 48
"""Rotations and reflections of a cube."""
MAX_CHUNK_BYTES = 2**32 - 1
"""HDF5's limit for one chunk."""
LEAST_SIDE = 64
"""Particles per axis of a universe that may choose its side, unless its crops need more."""

_TARGET_BYTES = 4
_SAMPLE_OVERHEAD_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDefinition:
    """All that decides a data set: samples are crops of simulated universes.

    Sample ``i`` is from universe ``i % num_universes`` of its split, so any leading part of a data set is as
    diverse as it can be. Splits have universes of their own: crops of one universe share their label.

    Raises:
        DatasetError: for a size that is odd or impossible, with what would do.
    """

    seed: int
    num_samples: int
    num_universes: int
    resolution: int
    """Voxels of a sample per axis: a power of two."""
    redshifts: tuple[float, ...] = REDSHIFTS
    """Redshift of each channel."""
    simulation_side: int = 0
    """Particles of a universe per axis; 0 chooses 64, or what one crop needs."""
    base_box_mpc_per_h: float = 0.0
    """See ``UniverseDefinition``; stated, it lets data sets of other sides share their long waves."""
    coarsening: int = 1
    """A voxel of a sample is the sum of this many simulated ones per axis: a power of two."""
    num_steps: int = 20
    force_mesh_factor: int = 2
    linear_power: PowerKind = PowerKind.EISENSTEIN_HU
    reuse: Reuse = Reuse.NONE
    split: Split = Split.TRAIN

    def __post_init__(self) -> None:
        least = {"num_samples": 1, "num_universes": 1, "resolution": MIN_SIDE, "simulation_side": 0}
        check_whole_numbers(
            {name: getattr(self, name) for name in (*least, "coarsening")}, {**least, "coarsening": 1}
        )
        check_power_of_two("resolution", self.resolution, MIN_SIDE, MAX_RESOLUTION)
        check_power_of_two("coarsening", self.coarsening, 1, MAX_SIDE // MIN_SIDE)
        check_redshifts(self.redshifts, START_SCALE_FACTOR)
        side = self.simulation_side or max(LEAST_SIDE, self.resolution * self.coarsening)
        object.__setattr__(self, "simulation_side", side)
        object.__setattr__(self, "redshifts", tuple(float(redshift) for redshift in self.redshifts))
        for name, kind in (("linear_power", PowerKind), ("reuse", Reuse), ("split", Split)):
            object.__setattr__(self, name, chosen(kind, name, getattr(self, name)))
        object.__setattr__(self, "base_box_mpc_per_h", self.universes.base_box_mpc_per_h)
        check_crop(self.resolution, self.coarsening, self.simulation_side)
        _check_number_of_samples(self)

    @property
    def universes(self) -> UniverseDefinition:
        """What decides the universes: data sets that agree on it share them.

        A run has at least the outputs of the data set, which are its first.
        """
        return UniverseDefinition(
            seed=self.seed,
            side=self.simulation_side,
            num_steps=self.num_steps,
            force_mesh_factor=self.force_mesh_factor,
            redshifts=simulated_redshifts(self.redshifts),
            base_box_mpc_per_h=self.base_box_mpc_per_h,
            linear_power=self.linear_power,
        )

    @property
    def canonical(self) -> dict[str, object]:
        """Everything that decides the data set, as plain JSON values."""
        own = {"schema_version": SCHEMA_VERSION, "universes": self.universes.canonical}
        return {**own, **plain_fields(self)}

    @property
    def dataset_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        return digest(self.canonical)

    @property
    def num_channels(self) -> int:
        """Redshifts of a sample."""
        return len(self.redshifts)

    @property
    def voxel_mpc_per_h(self) -> float:
        """Side of a sample's voxel at H0 = 70 km/s/Mpc [Mpc/h]."""
        return self.base_box_mpc_per_h * self.coarsening / self.simulation_side

    @property
    def is_whole_box(self) -> bool:
        """Whether a sample is the whole periodic universe, so that rolls are symmetries too."""
        return self.resolution * self.coarsening == self.simulation_side

    @property
    def num_particle_steps(self) -> int:
        """Steps of all particles of all universes: what making the data set costs."""
        return self.num_universes * self.simulation_side**3 * self.num_steps

    @property
    def crops_per_universe(self) -> int:
        """Separate sub-cubes of one universe."""
        return int((self.simulation_side // (self.resolution * self.coarsening)) ** 3)

    @property
    def views_per_crop(self) -> int:
        """How many different samples one crop gives."""
        if self.reuse is Reuse.SYMMETRIES_AND_ROLLS:
            return int(NUM_SYMMETRIES * self.simulation_side**3)
        return NUM_SYMMETRIES if self.reuse is Reuse.CUBE_SYMMETRIES else 1

    @property
    def sample_shape(self) -> tuple[int, int, int, int]:
        """Channels and voxels per axis of one sample."""
        return (self.num_channels, self.resolution, self.resolution, self.resolution)

    @property
    def sample_bytes(self) -> int:
        """Bytes of the counts and targets of one sample, as stored (uncompressed)."""
        return math.prod(self.sample_shape) * COUNT_BYTES + NUM_TARGETS * _TARGET_BYTES

    @property
    def dataset_bytes(self) -> int:
        """Bytes of the counts and targets of the whole data set, as stored (uncompressed)."""
        return self.num_samples * self.sample_bytes

    @property
    def shard_disk_bytes(self) -> int:
        """Upper bound of one shard on disk, packed."""
        packed = packed_bytes(math.prod(self.sample_shape), self.coarsening) + _SAMPLE_OVERHEAD_BYTES
        return -(-self.num_samples // self.num_universes) * packed + FILE_OVERHEAD_BYTES

    @property
    def disk_bytes(self) -> int:
        """Upper bound of the shards and universes of the data set on disk, packed."""
        return self.num_universes * (self.shard_disk_bytes + self.universes.universe_bytes)

    @property
    def universe_numbers(self) -> range:
        """Numbers of its universes: from 0 for training, from ``Split.first_universe`` otherwise."""
        return range(self.split.first_universe, self.split.first_universe + self.num_universes)

    def place_of(self, sample: int) -> tuple[int, int]:
        """Number of the universe of a sample, and its row among that universe's samples."""
        row, index = divmod(sample, self.num_universes)
        return self.universe_numbers[index], row

    def samples_of(self, universe: int) -> int:
        """How many samples are cut from one universe.

        Raises:
            DatasetError: when the universe is not of this data set, such as one of another split.
        """
        if universe not in self.universe_numbers:
            raise DatasetError(
                f"universe {universe} is not of this data set, whose {self.split} universes are "
                f"{self.universe_numbers[0]} to {self.universe_numbers[-1]}; use those."
            )
        return len(range(universe - self.split.first_universe, self.num_samples, self.num_universes))

    def refined(self, factor: int) -> "DatasetDefinition":
        """The same universes in the same box with finer waves, evolved again: ``factor`` x resolution."""
        return replace(
            self, resolution=self.resolution * factor, simulation_side=self.simulation_side * factor
        )

    def coarsened(self, factor: int) -> "DatasetDefinition":
        """The same samples in voxels that are sums of ``factor`` voxels per axis; it shares the universes."""
        if self.resolution % factor:
            raise DatasetError(f"{self.resolution} voxels are no multiple of {factor}; give a power of two.")
        return replace(self, resolution=self.resolution // factor, coarsening=self.coarsening * factor)


def _check_number_of_samples(definition: DatasetDefinition) -> None:
    if definition.num_universes > min(definition.num_samples, MAX_UNIVERSES):
        raise DatasetError(
            f"{definition.num_universes} universes for {definition.num_samples} samples: some would have "
            f"none; use at most {min(definition.num_samples, MAX_UNIVERSES)} universes."
        )
    if definition.reuse is Reuse.SYMMETRIES_AND_ROLLS and not definition.is_whole_box:
        raise DatasetError(
            f"{definition.reuse} is for samples that are whole boxes, but {definition.resolution}^3 is a crop"
            f" of {definition.simulation_side}^3, whose edges are not periodic; use {Reuse.CUBE_SYMMETRIES}."
        )
    per_universe = definition.crops_per_universe * definition.views_per_crop
    if definition.num_samples > definition.num_universes * per_universe:
        raise DatasetError(
            f"{definition.num_universes} universes of {definition.simulation_side}^3 have "
            f"{definition.num_universes * per_universe} samples of {definition.resolution}^3, but "
            f"{definition.num_samples} are asked for; use at least "
            f"{-(-definition.num_samples // per_universe)} universes, a larger simulation_side, or reuse "
            "crops by cube symmetries."
        )
