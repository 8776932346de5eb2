"""What storage must know of a data set, whoever made it, and where its files are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

_SHARD_SUFFIX = ".h5"


class DatasetLayout(Protocol):
    """A data set as storage sees it: samples of one shape, gathered in one shard for each universe."""

    @property
    def dataset_id(self) -> str:
        """Hash of the canonical definition."""
        ...

    @property
    def canonical(self) -> Mapping[str, object]:
        """Everything that decides the data set, as plain JSON values."""
        ...

    @property
    def redshifts(self) -> tuple[float, ...]:
        """Redshift of each channel."""
        ...

    @property
    def num_samples(self) -> int:
        """Samples of all shards."""
        ...

    @property
    def universe_numbers(self) -> Sequence[int]:
        """Number of each shard, in the order of the manifest."""
        ...

    @property
    def sample_shape(self) -> tuple[int, int, int, int]:
        """Channels and voxels per axis of one sample."""
        ...

    @property
    def resolution(self) -> int:
        """Voxels of a sample per axis."""
        ...

    @property
    def sample_bytes(self) -> int:
        """Bytes of the counts and targets of one sample, unpacked."""
        ...

    @property
    def is_whole_box(self) -> bool:
        """Whether a sample is a whole universe, whose opposite faces meet."""
        ...

    def samples_of(self, universe: int) -> int:
        """How many samples the shard of a universe holds."""
        ...

    def place_of(self, sample: int) -> tuple[int, int]:
        """Number of the universe of a sample, and its row in that shard."""
        ...


def dataset_folder(folder: Path, layout: DatasetLayout) -> Path:
    """Where a data set is."""
    return folder / f"dataset-{layout.dataset_id}"


def dataset_folders(folder: Path) -> tuple[Path, ...]:
    """The data sets below a data folder, whole or not, by name."""
    return tuple(sorted(path for path in folder.glob("dataset-*") if path.is_dir()))


def shard_path(dataset_folder: Path, universe: int) -> Path:
    """Where the samples of a universe are."""
    return dataset_folder / f"shard-{universe:06d}{_SHARD_SUFFIX}"
