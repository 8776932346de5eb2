"""How data grows: grids of counts, their number, side and channels, and what that makes in bytes."""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from augment.problem import ProblemError

COUNT_BYTES = 2
"""Counts of particles are kept as unsigned 16-bit integers."""

_PREFIXES = "kMGTPE"
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([kKMGTPE])(i?))?B\s*")


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


def bytes_of(text: str) -> int:
    """The bytes that a size such as ``1.6 TB`` (powers of 1000) or ``512 GiB`` (powers of 1024) says.

    Raises:
        ProblemError: when it is no size, or below one byte.
    """
    found = _SIZE.fullmatch(text) if len(text) <= 40 else None
    if found is None:
        raise ProblemError(f"{text[:40]!r} is no size; write it as '1.6 TB', '250 GB' or '64 MiB'.")
    number, prefix, binary = found.groups()
    power = _PREFIXES.index(prefix.replace("K", "k")) + 1 if prefix else 0
    num_bytes = int(Fraction(number) * (1024 if binary else 1000) ** power)
    if num_bytes < 1:
        raise ProblemError(f"{text!r} is less than a byte; give a larger size.")
    return num_bytes


def samples_filling(target_bytes: int, sample_bytes: int) -> int:
    """The fewest samples that reach a size: above it by less than one sample."""
    return -(-target_bytes // sample_bytes)


def universes_giving(samples: int, crops_per_universe: int) -> int:
    """The fewest universes of which so many samples are separate crops."""
    return -(-samples // crops_per_universe)


def side_of(box: float, voxel: float) -> int:
    """Voxels along a box, both positive and in one unit.

    Raises:
        ProblemError: when they are no power of two, with the voxels that would do.
    """
    ratio = box / voxel
    fewer, more = (2.0 ** max(0, rounding(math.log2(ratio))) for rounding in (math.floor, math.ceil))
    for side in (fewer, more):
        if math.isclose(ratio, side, rel_tol=1e-9):
            return int(side)
    raise ProblemError(
        f"voxel {voxel:g} divides box {box:g} into {ratio:g}, no power of two; "
        f"use a voxel of {box / more:.9g} or {box / fewer:.9g}, or another box."
    )


def least_box(voxel: float, least: float) -> float:
    """The smallest box of at least ``least`` that voxels divide into a power of two."""
    return voxel * 2.0 ** max(0, math.ceil(math.log2(least / voxel)))
