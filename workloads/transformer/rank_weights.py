"""What one rank holds of each weight, and how it is laid out for few large products; arithmetic only.

Weights that the same rows are multiplied by lie below each other in one: ``attention.entry`` holds the rows
of queries, keys and values, ``mlp.entry`` those of the gate, if there is one, and of what it multiplies. All
ranks sum what they make by ``attention.output`` and ``mlp.down``, so that only one holds the biases of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span, TensorShare
from workloads.transformer.weight_names import (
    EMBEDDING_NORM,
    FINAL_NORM,
    HEAD,
    POSITIONS,
    TOKENS,
    TYPES,
    Shape,
    layer_shapes,
    layer_weight,
    weight_shapes,
)

NORM_ATTENTION = "norm_attention"
NORM_MLP = "norm_mlp"
ATTENTION_ENTRY = "attention.entry"
ATTENTION_OUTPUT = "attention.output"
MLP_ENTRY = "mlp.entry"
MLP_DOWN = "mlp.down"
_FUSED: Mapping[str, tuple[str, ...]] = {
    NORM_ATTENTION: (NORM_ATTENTION,),
    ATTENTION_ENTRY: ("attention.query", "attention.key", "attention.value"),
    ATTENTION_OUTPUT: (ATTENTION_OUTPUT,),
    NORM_MLP: (NORM_MLP,),
    MLP_ENTRY: ("mlp.gate", "mlp.up"),
    MLP_DOWN: (MLP_DOWN,),
}
_SUMMED_BIASES = ("attention.output.bias", "mlp.down.bias")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightPart:
    """A part of one weight of the model."""

    name: str
    """As ``weight_names`` has it."""
    spans: tuple[Span, ...]
    """Of each dimension."""

    @property
    def shape(self) -> Shape:
        """How much of each dimension it has."""
        return tuple(len(span) for span in self.spans)


RankWeights = Mapping[str, tuple[WeightPart, ...]]
"""Each weight of a rank, and the parts of the model's weights that lie in it, one below the other."""


def rank_shape(parts: tuple[WeightPart, ...]) -> Shape:
    """The shape of a weight that is made of ``parts``."""
    return (sum(part.shape[0] for part in parts), *parts[0].shape[1:])


def layer_parts(architecture: TransformerArchitecture, index: int, share: TensorShare) -> RankWeights:
    """What a rank holds of one layer."""
    shapes = layer_shapes(architecture)
    spans = _shared_spans(architecture, share)
    parts = {}
    for name, sources in _FUSED.items():
        for kind in ("weight", "bias"):
            found = tuple(
                WeightPart(
                    name=layer_weight(index, f"{source}.{kind}"),
                    spans=_part(shapes[f"{source}.{kind}"], spans.get(f"{source}.{kind}", {})),
                )
                for source in sources
                if f"{source}.{kind}" in shapes
            )
            if found and (share.adds_bias or f"{name}.{kind}" not in _SUMMED_BIASES):
                parts[f"{name}.{kind}"] = found
    return parts


def end_parts(architecture: TransformerArchitecture, layers: Span, share: TensorShare) -> RankWeights:
    """What a rank holds besides layers: embeddings before the first, its part of the head behind the last.

    A head that is tied to an embedding on the same rank is a part of it, and is not named again.
    """
    shapes = weight_shapes(architecture)
    is_first, is_last = layers.begin == 0, layers.end == architecture.num_layers
    wanted: list[str] = []
    if is_first:
        wanted += [TOKENS, POSITIONS, TYPES, f"{EMBEDDING_NORM}.weight", f"{EMBEDDING_NORM}.bias"]
    if is_last:
        wanted += [f"{FINAL_NORM}.weight", f"{FINAL_NORM}.bias"]
    if is_last and not (is_first and architecture.is_head_tied):
        wanted.append(HEAD)
    # Every token belongs to the first of two segments.
    spans = {TYPES: {0: Span(0, 1)}, HEAD: {0: share.vocabulary}}
    return {
        name: (WeightPart(name=name, spans=_part(shapes[name], spans.get(name, {}))),)
        for name in wanted
        if name in shapes
    }


def _shared_spans(architecture: TransformerArchitecture, share: TensorShare) -> dict[str, dict[int, Span]]:
    """Which part of which dimension a rank holds, of every weight that ranks share."""
    keys = share.kv_heads.times(architecture.head_size)
    queries = keys.times(architecture.heads_per_kv)
    rows = {"attention.query": queries, "attention.key": keys, "attention.value": keys}
    rows |= {"mlp.gate": share.ffn_columns, "mlp.up": share.ffn_columns}
    spans = {f"{name}.{kind}": {0: span} for name, span in rows.items() for kind in ("weight", "bias")}
    return spans | {"attention.output.weight": {1: queries}, "mlp.down.weight": {1: share.ffn_columns}}


def _part(shape: Shape, spans: Mapping[int, Span]) -> tuple[Span, ...]:
    return tuple(spans.get(dim, Span(0, length)) for dim, length in enumerate(shape))
