"""Operations that really ran in a step, as the harness counted them: a compact note of a record."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

NOTE = "operations_counted"
"""Name of the note: those of one step on the rank that had the least to do."""
_MOST_NUMBER = 2.0**62
_MOST_ROWS = 2_000
"""Many times as many kinds and sizes as any network has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedOperation:
    """Operations of one phase that are alike in kind and size, together."""

    phase: str
    kind: str
    """As ``workloads.protocol.OpKind``."""
    flops: int
    """A multiply-add is 2; 0 for everything but products and convolutions."""
    memory_bytes: int
    """Of the tensors that they read and write, each once."""
    num_kernels: int
    """How many operations they are."""
    channels: float
    """Geometric mean of their input and output channels, or of the inner sizes of products; else 1."""


def counted_notes(ranks: Sequence[Sequence[CountedOperation]]) -> dict[str, str]:
    """The note of the rank that has the least to do: what others do beyond that is imbalance.

    None where a rank counted nothing, as applications without torch do.
    """
    least = min(ranks, key=_amount, default=())
    return {NOTE: to_note(least)} if least else {}


def to_note(operations: Sequence[CountedOperation]) -> str:
    """One row for each, as JSON."""
    rows = [
        (one.phase, one.kind, one.flops, one.memory_bytes, one.num_kernels, round(one.channels, 3))
        for one in operations
    ]
    return json.dumps(rows, separators=(",", ":"))


def from_note(text: str) -> tuple[CountedOperation, ...]:
    """The operations of a note; none for a text that is no such note."""
    try:
        rows = json.loads(text)
        return tuple(_operation(row) for row in rows) if len(rows) <= _MOST_ROWS else ()
    except (ValueError, TypeError, RecursionError):
        return ()


def _amount(operations: Sequence[CountedOperation]) -> tuple[int, int, int]:
    return (
        sum(one.flops for one in operations),
        sum(one.memory_bytes for one in operations),
        sum(one.num_kernels for one in operations),
    )


def _operation(row: Sequence[object]) -> CountedOperation:
    phase, kind, *numbers = row
    if not isinstance(phase, str) or not isinstance(kind, str):
        raise TypeError(f"{phase!r} and {kind!r} are no names")
    flops, memory_bytes, num_kernels, channels = (_number(number) for number in numbers)
    return CountedOperation(
        phase=phase,
        kind=kind,
        flops=int(flops),
        memory_bytes=int(memory_bytes),
        num_kernels=int(num_kernels),
        channels=channels,
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    if not 0 <= value <= _MOST_NUMBER:  # a whole number may be beyond doubles; NaN fails too
        raise ValueError(f"{value} is no amount")
    return float(value)
