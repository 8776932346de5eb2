"""One layer of a Transformer, on the part of its weights that one rank holds."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from workloads.transformer.activation import activated
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.attention import AttentionPass, attended
from workloads.transformer.exchange import TensorExchange
from workloads.transformer.layer_store import LayerWeights
from workloads.transformer.norms import normed
from workloads.transformer.positions import Rotation
from workloads.transformer.rank_weights import (
    ATTENTION_ENTRY,
    ATTENTION_OUTPUT,
    MLP_DOWN,
    MLP_ENTRY,
    NORM_ATTENTION,
    NORM_MLP,
)

SUMS_PER_LAYER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPass:
    """What all layers of one forward pass on one rank have in common."""

    architecture: TransformerArchitecture
    num_kv_heads: int
    """Heads of keys and values of this rank."""
    attention: AttentionPass
    rotation: Rotation | None
    exchange: TensorExchange


def block(
    hidden: Float[Tensor, "rows hidden"], layer: int, weights: LayerWeights, common: BlockPass
) -> Float[Tensor, "rows hidden"]:
    """The hidden states behind a layer (its number in the model); those before it are left as they are."""
    architecture, exchange = common.architecture, common.exchange
    if architecture.family is Family.BERT:
        summed = exchange.sum(attention_part(hidden, layer, weights, common))
        hidden = normed(summed.add_(hidden), weights, NORM_ATTENTION, architecture)
        summed = exchange.sum(mlp_part(hidden, weights, architecture))
        return normed(summed.add_(hidden), weights, NORM_MLP, architecture)
    entry = normed(hidden, weights, NORM_ATTENTION, architecture)
    hidden = exchange.sum(attention_part(entry, layer, weights, common)).add_(hidden)
    entry = normed(hidden, weights, NORM_MLP, architecture)
    return exchange.sum(mlp_part(entry, weights, architecture)).add_(hidden)


def attention_part(
    entry: Float[Tensor, "rows hidden"], layer: int, weights: LayerWeights, common: BlockPass
) -> Float[Tensor, "rows hidden"]:
    """What this rank's heads add to the sum over all ranks."""
    queries, keys, values = entry_heads(
        entry, weights, common.architecture, num_kv_heads=common.num_kv_heads, rotation=common.rotation
    )
    return output_part(attended(queries, keys, values, layer, common.attention), weights)


def entry_heads(
    entry: Float[Tensor, "rows hidden"],
    weights: LayerWeights,
    architecture: TransformerArchitecture,
    *,
    num_kv_heads: int,
    rotation: Rotation | None,
) -> tuple[
    Float[Tensor, "rows heads size"], Float[Tensor, "rows kv_heads size"], Float[Tensor, "rows kv_heads size"]
]:
    """Queries, keys and values of this rank's heads; ``rotation`` has the angles of the same rows."""
    queried = num_kv_heads * architecture.heads_per_kv
    columns = _product(entry, weights, ATTENTION_ENTRY)
    heads = columns.view(columns.shape[0], queried + 2 * num_kv_heads, -1)
    turned = heads if rotation is None else rotation.turned(heads[:, : queried + num_kv_heads])
    queries, keys = turned[:, :queried], turned[:, queried : queried + num_kv_heads]
    return queries, keys, heads[:, queried + num_kv_heads :]


def output_part(
    attended_rows: Float[Tensor, "rows columns"], weights: LayerWeights
) -> Float[Tensor, "rows hidden"]:
    """What this rank's heads add to the sum over all ranks, by what their rows attended to."""
    return _product(attended_rows, weights, ATTENTION_OUTPUT)


def mlp_part(
    entry: Float[Tensor, "rows hidden"], weights: LayerWeights, architecture: TransformerArchitecture
) -> Float[Tensor, "rows hidden"]:
    """What this rank's columns of the MLP add to the sum over all ranks."""
    columns = _product(entry, weights, MLP_ENTRY)
    if architecture.has_gate:
        gate, columns = columns.chunk(2, dim=-1)
        return _product(activated(gate, architecture.activation).mul(columns), weights, MLP_DOWN)
    return _product(activated(columns, architecture.activation), weights, MLP_DOWN)


def _product(rows: Tensor, weights: LayerWeights, name: str) -> Tensor:
    return functional.linear(rows, weights[f"{name}.weight"], weights.get(f"{name}.bias"))
