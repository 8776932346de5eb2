"""What ranks have to make data with, beside each other."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Join = Callable[[int], Any]  # Any: torch.distributed.ProcessGroup, which this module must not import


def nobody(num_ranks: int) -> Any:
    """Where nobody is to be met.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError(f"a rank that is alone has no group of {num_ranks} to join.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What one rank that makes data may use."""

    device: str = "cpu"
    """``cpu`` or ``cuda:N``."""
    memory_bytes: int = sys.maxsize
    """What one rank may take of its device's memory; the same number on all ranks."""
    join: Join = nobody
    """``join(n)`` joins the default process group of torch.distributed over n consecutive ranks, counted from
    rank 0 (the last group may have fewer); all ranks call it as often as each other, always with the same n,
    and get the same group. It ends after the data were made."""


ALONE = Means()
"""Of a rank that has nobody to share a universe with, and all memory."""
