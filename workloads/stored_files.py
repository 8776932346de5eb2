"""What an application offers whose data can be copied to the nodes that read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from augment.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Which ranks are going to read a problem's data, and how many steps of it."""

    ranks: tuple[int, ...]
    """Those that share one copy."""
    num_replicas: int
    """Groups of ranks that read different samples."""
    ranks_per_replica: int
    batch: int
    """Samples of one step of one replica."""
    seed: int
    num_steps: int | None
    """From the first; None where nobody can say how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of a problem's data."""

    path: Path
    """Below the data folder."""
    num_bytes: int
    sha256: str
    """In hexadecimal; empty where the file is checked by what it says itself."""
    is_read: bool
    """Whether these ranks read it in these steps."""


@runtime_checkable
class StoringJob(Protocol):
    """The job side of an application that reads its data from files."""

    def files(self, problem: Problem, data_folder: Path, reading: Reading) -> Sequence[StoredFile]:
        """Every file that makes up the problem's data; all ranks are told the same of the same reading."""
