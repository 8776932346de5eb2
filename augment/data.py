"""How data grows: grids of counts, their number, side and channels, and what that makes in bytes."""

from dataclasses import dataclass

COUNT_BYTES = 2
"""Counts of particles are kept as unsigned 16-bit integers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataShape:
    """A data set of cubic grids of counts."""

    samples: int
    resolution: int
    """Side of a grid [voxels]."""
    channels: int

    @property
    def sample_values(self) -> int:
        """Counts in one sample."""
        return self.channels * self.resolution**3

    @property
    def sample_bytes(self) -> int:
        """Uncompressed bytes of one sample's counts."""
        return self.sample_values * COUNT_BYTES

    @property
    def dataset_bytes(self) -> int:
        """Uncompressed bytes of the counts of all samples."""
        return self.samples * self.sample_bytes
