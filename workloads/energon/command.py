"""What the controller asks all ranks to do, and what the last stage answers."""

from dataclasses import dataclass

from torch import Tensor

from workloads.transformer.layout import Layout
from workloads.transformer.want import Want


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One forward pass. All ranks get the same commands in the same order, of rising ``key``."""

    key: int
    layout: Layout
    tokens: Tensor
    """Token ids [rows] (int64, on the host), padding included where the layout has it; stage 0 reads them."""
    want: Want
    lost: str = ""
    """Why this rank has no tokens, though it was sent some."""
    sequence_ids: tuple[int, ...] = ()
    """Names of the sequences whose keys and values are kept; empty: nothing is kept."""
    released_ids: tuple[int, ...] = ()
    """Sequences whose keys and values are dropped before this pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one command on a rank of the last stage; all ranks of it hold the same."""

    key: int
    rows: Tensor | None
    """What was wanted, on the host; None where it failed."""
    failure: str = ""
    """Why it failed: the type and the text of an error, and the rank; empty where it did not."""
