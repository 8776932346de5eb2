"""Memory of one rank of a replica during inference: its weights, keys and values, and rows in work."""

import math

from workloads.energon.parking_layout import aligned, on_pages
from workloads.energon.passes import prompt_layouts
from workloads.energon.plan import EnginePlan
from workloads.energon.shapes import EnergonShape
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.rank_weights import layer_parts, rank_shape
from workloads.transformer.split import Span, TensorShare
from workloads.transformer.weight_names import layer_shapes

KEPT_BLOCK = 64
"""Keys and values have room for a multiple of so many tokens: ``transformer.kv_cache.BLOCK``."""
_HIDDEN_ROWS = 4
"""Rows [num_rows, hidden] that live at once in a layer: the residual, its norm, a sum, and what comes out."""


def peak_memory_bytes(shape: EnergonShape, plan: EnginePlan, batch: int, itemsize: int) -> int:
    """Bytes of tensors on the rank that holds most.

    An estimate: weights, keys and values are exact; of the rows in work those that live at once are counted,
    attention's own blocks are not.
    """
    return itemsize * max(
        _weights(shape, plan, rank)
        + kept_values(shape, plan, rank, batch)
        + _rows_in_work(shape, plan, rank, batch)
        for rank in range(plan.num_ranks)
    )


def parked_bytes(shape: EnergonShape, plan: EnginePlan, itemsize: int) -> int:
    """Bytes of the layers that a rank keeps elsewhere, on the rank that keeps most."""
    if not plan.num_parked:
        return 0
    return plan.num_parked * max(
        _parked_layer_bytes(shape.architecture, share, itemsize) for share in plan.shares
    )


def kept_values(shape: EnergonShape, plan: EnginePlan, rank: int, batch: int) -> int:
    """Keys and values of every sequence of a step on one rank, where tokens are generated behind it."""
    if not shape.num_new_tokens:
        return 0
    lengths = (length for layout in prompt_layouts(shape, batch) for length in layout.lengths)
    most = shape.architecture.max_length
    positions = sum(
        min(most, -(-(length + shape.num_new_tokens) // KEPT_BLOCK) * KEPT_BLOCK) for length in lengths
    )
    columns = len(plan.share_of(rank).kv_heads) * shape.architecture.head_size
    return positions * len(plan.stages[plan.stage_of(rank)]) * 2 * columns


def layer_weights(architecture: TransformerArchitecture, share: TensorShare) -> int:
    """Weights of one layer that a rank of this share holds."""
    heads = len(share.kv_heads) * architecture.head_size
    parts = {
        "attention.query": heads * architecture.heads_per_kv,
        "attention.key": heads,
        "attention.value": heads,
        "mlp.up": len(share.ffn_columns),
        "mlp.gate": len(share.ffn_columns),
    }
    inner = {"attention.output": parts["attention.query"], "mlp.down": parts["mlp.up"]}
    total = 0
    for name, (rows, *columns) in layer_shapes(architecture).items():
        product = name.rpartition(".")[0]
        own_rows = parts.get(product, rows)
        own_columns = [inner.get(product, length) for length in columns]
        total += own_rows * math.prod(own_columns)
    return total


def _parked_layer_bytes(architecture: TransformerArchitecture, share: TensorShare, itemsize: int) -> int:
    """Of one layer with the gaps between its weights; all layers of a model are alike."""
    parts = layer_parts(architecture, 0, share).values()
    return on_pages(sum(aligned(math.prod(rank_shape(part)) * itemsize) for part in parts))


def _weights(shape: EnergonShape, plan: EnginePlan, rank: int) -> int:
    """Weights on the device of one rank; parked layers keep the buffers that they are fetched into."""
    architecture, layers, share = shape.architecture, plan.stages[plan.stage_of(rank)], plan.share_of(rank)
    num_layers = len(layers)
    if plan.num_parked:
        num_layers = min(num_layers, num_layers - plan.num_parked + plan.prefetch_distance + 1)
    return num_layers * layer_weights(architecture, share) + _ends(architecture, layers, share)


def _ends(architecture: TransformerArchitecture, layers: Span, share: TensorShare) -> int:
    """Weights of the embedding on the first stage, and of the head on the last."""
    total = 0
    if layers.begin == 0:
        rows = architecture.vocab_size
        rows += 0 if architecture.family is Family.LLAMA else architecture.max_length
        rows += 4 if architecture.family is Family.BERT else 0  # two segments, a norm's scale and offset
        total += rows * architecture.hidden_size
    if layers.end == architecture.num_layers and architecture.is_decoder:
        # A tied head on the rank of its embedding is a part of that.
        has_head = layers.begin > 0 or not architecture.is_head_tied
        total += (2 + (len(share.vocabulary) if has_head else 0)) * architecture.hidden_size
    return total


def _rows_in_work(shape: EnergonShape, plan: EnginePlan, rank: int, batch: int) -> int:
    """Values of the largest pass, and of the messages that wait between stages."""
    architecture, share = shape.architecture, plan.share_of(rank)
    num_rows = max(layout.num_rows for layout in prompt_layouts(shape, batch))
    heads = len(share.kv_heads) * architecture.head_size
    attention = heads * (2 * architecture.heads_per_kv + 2)
    mlp = len(share.ffn_columns) * (3 if architecture.has_gate else 2)
    waiting = plan.num_buffers if plan.pipeline_parallel > 1 else 0
    columns = (_HIDDEN_ROWS + waiting) * architecture.hidden_size + max(attention, mlp)
    is_last = plan.stage_of(rank) == plan.pipeline_parallel - 1
    logits = batch * architecture.vocab_size if is_last and architecture.is_decoder else 0
    return num_rows * columns + 2 * logits
