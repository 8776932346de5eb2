"""Which device does what of each layer; arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, pairwise

from augment.problem import ProblemError
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span, TensorShare, divided


class Strategy(StrEnum):
    """The kinds of parallelism, all run by the same code so that they compare."""

    HYBRID = "hybrid"
    """Heads and columns are shared, and rows between them; a ring moves tiles while others are multiplied."""
    TENSOR = "tensor"
    """Megatron-LM: heads and columns are shared, and every device does all rows between them."""
    SEQUENCE = "sequence"
    """Rows are shared, every device holds all weights, and keys and values go around."""
    PIPELINE = "pipeline"
    """Each device has some layers."""
    LOCAL = "local"
    """One device does all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePart:
    """What one device holds and does."""

    device: int
    """Its number in the cluster."""
    share: TensorShare
    """Heads, columns and vocabulary of every layer it takes part in."""
    layers: Span
    """All of them, but in a pipeline."""
    row_weight: float
    """Its part of the rows between products, relative to those of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelPlan:
    """How some devices of a cluster answer together; the first takes requests in and gives answers out."""

    strategy: Strategy
    parts: tuple[DevicePart, ...]
    """In the order of the ring: each sends to the next, and the last to the first."""
    num_tiles: int = 1
    """Tiles that a device's rows are cut into, which move and are multiplied one by one."""
    wire: WireFormat = WireFormat.EXACT
    direct_rows: int = 1
    """Passes of at most so many rows, such as those of one new token, go around no ring where devices add up:
    each tells its part of a sum to all others, which takes one delay in place of two for each other
    device."""

    @property
    def devices(self) -> tuple[int, ...]:
        """The devices that take part, in the order of the ring."""
        return tuple(part.device for part in self.parts)

    def part_of(self, device: int) -> DevicePart:
        """What a device does.

        Raises:
            KeyError: where it takes no part.
        """
        for part in self.parts:
            if part.device == device:
                return part
        raise KeyError(device)

    def row_spans(self, num_rows: int) -> tuple[Span, ...]:
        """The rows of each part between products, in the order of the ring; some parts may have none."""
        if self.strategy in (Strategy.LOCAL, Strategy.TENSOR, Strategy.PIPELINE):
            return (Span(0, num_rows),) * len(self.parts)
        weights = [part.row_weight for part in self.parts]
        if num_rows < len(weights):
            return tuple(
                Span(min(place, num_rows), min(place + 1, num_rows)) for place in range(len(weights))
            )
        return divided(num_rows, weights, "rows")

    def tiles(self, rows: Span) -> tuple[Span, ...]:
        """The tiles of a part's rows, as even as can be, none of them empty."""
        num = min(self.num_tiles, len(rows))
        edges = [rows.begin + len(rows) * index // max(num, 1) for index in range(num + 1)]
        return tuple(Span(begin, end) for begin, end in pairwise(edges))


def even_rows(num_rows: int, num_parts: int) -> tuple[Span, ...]:
    """Rows in as many parts, as even as can be; the last are empty where there are fewer rows."""
    ends = [min(num_rows, -(-num_rows * place // num_parts)) for place in range(num_parts + 1)]
    return tuple(Span(begin, end) for begin, end in pairwise(ends))


def whole_share(architecture: TransformerArchitecture) -> TensorShare:
    """Everything of a layer: what a device has that shares no layer."""
    return shares_of(architecture, [architecture.num_kv_heads], [architecture.ffn_size])[0]


def shares_of(
    architecture: TransformerArchitecture, kv_heads: Sequence[int], ffn_columns: Sequence[int]
) -> tuple[TensorShare, ...]:
    """Shares of these sizes, one for each device; the vocabulary follows the columns.

    Raises:
        ProblemError: when they do not add up to those of the model, or a device has none.
    """
    heads = _spans(kv_heads, architecture.num_kv_heads, "heads of keys and values")
    columns = _spans(ffn_columns, architecture.ffn_size, "columns of the MLP")
    vocabulary = divided(
        architecture.vocab_size, [float(size) for size in ffn_columns], "rows of the vocabulary"
    )
    sizes = tuple(len(span) for span in vocabulary)
    return tuple(
        TensorShare(
            rank=place,
            num_ranks=len(heads),
            kv_heads=heads[place],
            ffn_columns=columns[place],
            vocabulary=vocabulary[place],
            vocabulary_sizes=sizes,
        )
        for place in range(len(heads))
    )


def _spans(sizes: Sequence[int], total: int, name: str) -> tuple[Span, ...]:
    if sum(sizes) != total or min(sizes, default=0) < 1:
        raise ProblemError(
            f"{list(sizes)} {name} shall be shared, but the model has {total}; give parts of at least 1."
        )
    ends = list(accumulate(sizes))
    return tuple(Span(end - size, end) for size, end in zip(sizes, ends, strict=True))
