"""Where the spread of compute times comes from: ranks, steps, or neither."""

from dataclasses import dataclass
from enum import StrEnum


class Pattern(StrEnum):
    """What the spread looks like."""

    EVEN = "even"
    SLOW_RANK = "persistent slow rank"
    UNEVEN_WORK = "work that differs between steps"
    """Forward and backward of one rank are long at the same steps: the data decide."""
    COMMON_DRIFT = "all ranks together"
    """Every rank is slow at the same steps: the machine, or the size of the whole step."""
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """Variance of the log of compute time (forward and backward), split over ranks and steps."""

    pattern: Pattern
    num_ranks: int
    num_steps: int
    worker: float
    """Variance between the means of ranks, less what noise alone gives."""
    step: float
    """Variance between the means of steps: all ranks together, less what noise alone gives."""
    residual: float
    """Variance of one rank at one step beside both."""
    coupling: float
    """Correlation of that rest in forward with that in backward; near 1 where the data decide it."""
    slowest_rank: int
    slowest_ratio: float
    """Geometric mean compute time of the slowest rank over that of its peers."""
    statement: str
