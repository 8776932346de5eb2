"""What decides a data set that was imported: the samples of others, by the files that they came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cosmology.canonical import digest, plain_fields
from cosmology.choices import Split, chosen
from cosmology.dataset_error import DatasetError
from cosmology.definition import SCHEMA_VERSION, START_SCALE_FACTOR
from cosmology.definition_check import MAX_RESOLUTION, MIN_SIDE, check_power_of_two, check_redshifts

ORIGIN = "imported"
_COUNT_BYTES, _TARGETS_BYTES = 2, 16


class SourceFormat(StrEnum):
    """In which form the samples came."""

    TFRECORD = "cosmoflow_tfrecord"
    HDF5 = "cosmoflow_hdf5"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDefinition:
    """All that decides an imported data set; it is read like one that was generated.

    Universes are in the order of their numbers of samples, most first. Samples go round the universes, so
    that any leading part is as diverse as it can be.

    Raises:
        DatasetError: for a resolution or redshifts that cannot be, or no samples.
    """

    source_format: SourceFormat
    source_sha256: str
    """Of the names and sizes of the files, and of their first and last bytes."""
    resolution: int
    redshifts: tuple[float, ...]
    runs: tuple[tuple[int, int], ...]
    """How many universes have how many samples each, most samples first."""
    split: Split = Split.TRAIN

    def __post_init__(self) -> None:
        check_power_of_two("resolution", self.resolution, MIN_SIDE, MAX_RESOLUTION)
        check_redshifts(self.redshifts, START_SCALE_FACTOR)
        if not all(isinstance(number, int) for run in self.runs for number in run):
            raise DatasetError(f"runs are {self.runs}; give whole numbers of universes and samples.")
        samples = [num_samples for _, num_samples in self.runs]
        if not samples or sorted(set(samples), reverse=True) != samples or min(map(min, self.runs)) < 1:
            raise DatasetError(f"runs are {self.runs}; give universes and samples, most samples first.")

    @property
    def canonical(self) -> dict[str, object]:
        """Everything that decides the data set, as plain JSON values."""
        runs = [list(run) for run in self.runs]
        return {"schema_version": SCHEMA_VERSION, "origin": ORIGIN, **plain_fields(self), "runs": runs}

    @property
    def dataset_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        return digest(self.canonical)

    @property
    def num_channels(self) -> int:
        """Redshifts of a sample."""
        return len(self.redshifts)

    @property
    def sample_shape(self) -> tuple[int, int, int, int]:
        """Channels and voxels per axis of one sample."""
        return (self.num_channels, self.resolution, self.resolution, self.resolution)

    @property
    def is_whole_box(self) -> bool:
        """Whether opposite faces of a sample meet: of crops of others nobody may count on it."""
        return False

    @property
    def num_universes(self) -> int:
        """Different labels."""
        return sum(universes for universes, _ in self.runs)

    @property
    def num_samples(self) -> int:
        """Samples of all universes."""
        return sum(universes * samples for universes, samples in self.runs)

    @property
    def sample_bytes(self) -> int:
        """Bytes of the counts and targets of one sample, uncompressed."""
        return self.num_channels * self.resolution**3 * _COUNT_BYTES + _TARGETS_BYTES

    @property
    def universe_numbers(self) -> range:
        """Numbers of its universes: from 0 for training, from ``Split.first_universe`` otherwise."""
        return range(self.split.first_universe, self.split.first_universe + self.num_universes)

    def samples_of(self, universe: int) -> int:
        """How many samples a universe has.

        Raises:
            DatasetError: when the universe is not of this data set.
        """
        place = universe - self.split.first_universe
        if place >= 0:
            for universes, samples in self.runs:
                if place < universes:
                    return samples
                place -= universes
        raise DatasetError(f"universe {universe} is not of this data set; it has {self.universe_numbers}.")

    def place_of(self, sample: int) -> tuple[int, int]:
        """Number of the universe of a sample, and its row among that universe's samples.

        Raises:
            DatasetError: when there is no such sample.
        """
        place = sample
        for first_row, num_rows, universes in self._layers():
            if 0 <= place < num_rows * universes:
                row, index = divmod(place, universes)
                return self.universe_numbers[index], first_row + row
            place -= num_rows * universes
        raise DatasetError(f"there is no sample {sample}; the data set has {self.num_samples}.")

    def _layers(self) -> Iterator[tuple[int, int, int]]:
        """First row, number of rows, and how many universes have these rows; the lowest rows first."""
        universes, row = self.num_universes, 0
        for universes_here, samples in reversed(self.runs):
            yield row, samples - row, universes
            universes, row = universes - universes_here, samples


def imported_from(canonical: Mapping[str, Any]) -> ImportedDefinition:  # Any: JSON, checked here
    """The definition whose ``canonical`` this is.

    Raises:
        DatasetError: when it is of another version, or does not agree with itself.
    """
    if canonical.get("schema_version") != SCHEMA_VERSION:
        raise DatasetError(
            f"the data set is of version {canonical.get('schema_version')!r}, this is version "
            f"{SCHEMA_VERSION}: import it again."
        )
    try:
        definition = ImportedDefinition(
            source_format=chosen(SourceFormat, "source_format", canonical["source_format"]),
            source_sha256=canonical["source_sha256"],
            resolution=canonical["resolution"],
            redshifts=tuple(canonical["redshifts"]),
            runs=tuple((universes, samples) for universes, samples in canonical["runs"]),
            split=chosen(Split, "split", canonical["split"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"the definition is damaged ({error}); import the data set again.") from error
    if definition.canonical != dict(canonical):
        raise DatasetError("the definition does not agree with itself; import the data set again.")
    return definition
