"""How ranks share a Transformer: contiguous parts of each layer, and contiguous layers; arithmetic only.

Any numbers of heads, columns and rows can be shared by any ranks that get at least one of each: even splits
give the rest to the first ranks, weighted ones give each rank the whole number nearest to its share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from augment.problem import ProblemError
from workloads.transformer.architecture import TransformerArchitecture


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers from ``begin`` up to but without ``end``."""

    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.begin, self.end))

    def times(self, size: int) -> "Span":
        """The same span where each number stands for ``size`` neighbours."""
        return Span(self.begin * size, self.end * size)


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorShare:
    """What one rank of a tensor-parallel group holds of every layer it takes part in."""

    rank: int
    num_ranks: int
    kv_heads: Span
    """Heads of keys and values, each with all heads of queries that use it."""
    ffn_columns: Span
    vocabulary: Span
    """Rows of the head; embeddings are whole on every rank."""
    vocabulary_sizes: tuple[int, ...]
    """How many rows of the head each rank of the group has, in their order."""

    @property
    def adds_bias(self) -> bool:
        """Whether this rank adds the biases of summed products: one rank must, and only one."""
        return self.rank == 0


def tensor_shares(
    architecture: TransformerArchitecture, num_ranks: int, speeds: Sequence[float] | None = None
) -> tuple[TensorShare, ...]:
    """The parts of ``num_ranks`` ranks, even, or in proportion to ``speeds``.

    Raises:
        ProblemError: when there is not one head of keys and values for each.
    """
    weights = [1.0] * num_ranks if speeds is None else list(speeds)
    if len(weights) != num_ranks:
        raise ProblemError(f"{len(weights)} speeds are given for {num_ranks} ranks; give one for each.")
    columns = (architecture.num_kv_heads, architecture.ffn_size, architecture.vocab_size)
    names = ("heads of keys and values", "columns of the MLP", "rows of the vocabulary")
    parts = [divided(total, weights, name) for total, name in zip(columns, names, strict=True)]
    vocabulary_sizes = tuple(len(span) for span in parts[-1])
    return tuple(
        TensorShare(
            rank=rank,
            num_ranks=num_ranks,
            kv_heads=heads,
            ffn_columns=ffn,
            vocabulary=vocabulary,
            vocabulary_sizes=vocabulary_sizes,
        )
        for rank, (heads, ffn, vocabulary) in enumerate(zip(*parts, strict=True))
    )


def layer_stages(layer_costs: Sequence[float], num_stages: int) -> tuple[Span, ...]:
    """Contiguous layers for each stage of a pipeline, so that the slowest stage is as fast as can be.

    ``layer_costs`` are measured or estimated times of each layer, in any unit.

    Raises:
        ProblemError: for more stages than layers.
    """
    num_layers = len(layer_costs)
    if not 1 <= num_stages <= num_layers:
        raise ProblemError(
            f"{num_layers} layers cannot make {num_stages} stages of a pipeline; use 1 to {num_layers}."
        )
    until = [0.0, *accumulate(layer_costs)]
    # best[layers]: the least slowest stage of the first so many layers, and where its last stage begins.
    best: list[tuple[float, tuple[int, ...]]] = [(until[layers], (0,)) for layers in range(num_layers + 1)]
    for stage in range(1, num_stages):
        best = [
            min(
                (
                    (max(best[begin][0], until[layers] - until[begin]), (*best[begin][1], begin))
                    for begin in range(stage, layers)
                ),
                default=(float("inf"), ()),
            )
            for layers in range(num_layers + 1)
        ]
    return tuple(Span(begin, end) for begin, end in pairwise((*best[num_layers][1], num_layers)))


def divided(total: int, weights: Sequence[float], name: str) -> tuple[Span, ...]:
    """``total`` neighbours in contiguous parts near ``weights``, none of them empty.

    Raises:
        ProblemError: when there are fewer than parts, with ``name`` in its message.
    """
    num_parts = len(weights)
    if not 1 <= num_parts <= total:
        raise ProblemError(f"{total} {name} cannot be shared by {num_parts} ranks; use 1 to {total}.")
    if not all(0 < weight < float("inf") for weight in weights):
        raise ProblemError(
            f"{total} {name} cannot be shared by {num_parts} ranks with weights {list(weights)}; use finite "
            "weights above 0."
        )
    fractions = [weight / max(weights) for weight in weights]  # the sum of large weights could overflow
    asked = [total * fraction / sum(fractions) for fraction in fractions]
    sizes = [max(1, int(share)) for share in asked]
    while sum(sizes) > total:
        spare = [part for part in range(num_parts) if sizes[part] > 1]
        sizes[max(spare, key=lambda part: sizes[part] - asked[part])] -= 1
    for _ in range(total - sum(sizes)):
        sizes[max(range(num_parts), key=lambda part: asked[part] - sizes[part])] += 1
    ends = list(accumulate(sizes))
    return tuple(Span(end - size, end) for size, end in zip(sizes, ends, strict=True))
