"""What stands before the first layer and behind the last."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layer_store import LayerWeights
from workloads.transformer.layout import Layout
from workloads.transformer.norms import normed
from workloads.transformer.want import Want
from workloads.transformer.weight_names import EMBEDDING_NORM, FINAL_NORM, HEAD, POSITIONS, TOKENS, TYPES


def embedded(
    tokens: Int[Tensor, " rows"],
    positions: Int[Tensor, " rows"],
    weights: LayerWeights,
    architecture: TransformerArchitecture,
) -> Float[Tensor, "rows hidden"]:
    """The hidden states before the first layer."""
    hidden = functional.embedding(tokens, weights[TOKENS])
    if TYPES in weights:
        hidden += weights[TYPES]
    if POSITIONS in weights:
        hidden += functional.embedding(positions, weights[POSITIONS])
    if f"{EMBEDDING_NORM}.weight" in weights:
        hidden = normed(hidden, weights, EMBEDDING_NORM, architecture)
    return hidden


def wanted_rows(
    hidden: Float[Tensor, "rows hidden"], layout: Layout, want: Want, *, is_decoder: bool
) -> Float[Tensor, "wanted hidden"]:
    """The rows of which something is wanted, without padding."""
    if want is Want.ALL_ROWS:
        if layout.padded_to is None:
            return hidden
        tokens = zip(layout.starts, layout.lengths, strict=True)
        return torch.cat([hidden[start : start + length] for start, length in tokens])
    rows = layout.last_rows if is_decoder else layout.starts
    return hidden[torch.tensor(rows, device=hidden.device)]


def logits_part(
    hidden: Float[Tensor, "wanted hidden"], weights: LayerWeights, architecture: TransformerArchitecture
) -> Float[Tensor, "wanted columns"]:
    """The logits of the part of the vocabulary that this rank has."""
    return functional.linear(normed(hidden, weights, FINAL_NORM, architecture), weights[HEAD])
