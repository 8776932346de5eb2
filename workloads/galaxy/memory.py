"""What each device of a plan holds at most; arithmetic only.

Weights, keys and values are counted one by one; of rows in work those that live at once, as an upper limit.
All of it grows evenly with the heads and the columns that a device has: ``MemoryNeed``.
"""

from dataclasses import dataclass

from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.split import Span

KEPT_BLOCK = 64
"""Keys and values have room for a multiple of so many tokens: ``transformer.kv_cache.BLOCK``."""
_HIDDEN_ROWS = 4
"""Rows [num_tokens, hidden] at once: the residual, its norm, what comes, and what goes."""
_CODED_ROWS = 2
"""As many again where rows are written in another format: what comes, and what goes."""
SHARED = (Strategy.HYBRID, Strategy.TENSOR)
"""Kinds in which devices share heads and columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryNeed:
    """What a device needs [bytes]: ``base + heads * per_head + columns * per_column``."""

    base_bytes: float
    per_head_bytes: float
    """For each head of keys and values, with the queries that use it."""
    per_column_bytes: float

    def of(self, num_kv_heads: int, num_columns: int) -> float:
        """Bytes with so many heads and columns."""
        return self.base_bytes + num_kv_heads * self.per_head_bytes + num_columns * self.per_column_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a model at a time."""

    num_tokens: int
    itemsize: int
    num_new_tokens: int = 0
    """Generated behind them, one a pass, with keys and values kept."""

    @property
    def kept_positions(self) -> int:
        """Tokens whose keys and values have room; none where nothing is generated."""
        if not self.num_new_tokens:
            return 0
        return -(-(self.num_tokens + self.num_new_tokens) // KEPT_BLOCK) * KEPT_BLOCK


def memory_bytes(architecture: TransformerArchitecture, plan: ParallelPlan, load: Load) -> tuple[int, ...]:
    """What each part of a plan holds at most, in the order of the ring."""
    spans = plan.row_spans(load.num_tokens)
    return tuple(
        _part_bytes(architecture, plan, part, rows, load)
        for part, rows in zip(plan.parts, spans, strict=True)
    )


def shared_need(
    architecture: TransformerArchitecture, strategy: Strategy, load: Load, wire: WireFormat, tile_rows: int
) -> MemoryNeed:
    """Of a device that shares heads and columns; at most ``tile_rows`` go through an MLP at once."""
    hidden, tokens = architecture.hidden_size, load.num_tokens
    layers = architecture.num_layers
    rows = tokens * (_HIDDEN_ROWS + (0 if wire is WireFormat.EXACT else _CODED_ROWS))
    at_once = tile_rows if strategy is Strategy.HYBRID else tokens
    words = 0.0 if _is_head_held(architecture) else architecture.vocab_size / architecture.ffn_size
    base = layers * _layer_weights(architecture, 0, 0) + end_weights(architecture, Span(0, layers), 1)
    per_head = _layer_weights(architecture, 1, 0) - _layer_weights(architecture, 0, 0)
    per_column = _layer_weights(architecture, 0, 1) - _layer_weights(architecture, 0, 0)
    return MemoryNeed(
        base_bytes=load.itemsize * (base + rows * hidden + _logits(architecture)),
        per_head_bytes=load.itemsize * (layers * per_head + _head_rows(architecture, load)),
        per_column_bytes=load.itemsize
        * (layers * per_column + words * hidden + at_once * (3 if architecture.has_gate else 2)),
    )


def whole_bytes(
    architecture: TransformerArchitecture,
    layers: Span,
    rows: int,
    load: Load,
    wire: WireFormat = WireFormat.EXACT,
) -> int:
    """Of a device that has all heads and columns of some layers, and so many rows at once."""
    heads, columns = architecture.num_kv_heads, architecture.ffn_size
    weights = len(layers) * _layer_weights(architecture, heads, columns)
    weights += end_weights(architecture, layers, architecture.vocab_size)
    kept = load.kept_positions * len(layers) * 2 * architecture.kv_size
    attention = rows * 2 * architecture.attention_size + load.num_tokens * 6 * architecture.kv_size
    mlp = rows * columns * (3 if architecture.has_gate else 2)
    at_once = _HIDDEN_ROWS + (0 if wire is WireFormat.EXACT else _CODED_ROWS)
    in_work = load.num_tokens * at_once * architecture.hidden_size + max(attention, mlp)
    is_last = layers.end == architecture.num_layers
    return load.itemsize * (weights + kept + in_work + (_logits(architecture) if is_last else 0))


def end_weights(architecture: TransformerArchitecture, layers: Span, num_words: int) -> int:
    """Weights of the embedding where the first layer is, of the last norm and the head where the last is."""
    hidden, is_first, total = architecture.hidden_size, layers.begin == 0, 0
    if is_first:
        rows = architecture.vocab_size
        rows += 0 if architecture.family is Family.LLAMA else architecture.max_length
        rows += 3 if architecture.family is Family.BERT else 0  # one segment, a norm's scale and offset
        total += rows * hidden
    if layers.end == architecture.num_layers and architecture.is_decoder:
        total += (2 if architecture.has_biases else 1) * hidden
        total += 0 if is_first and _is_head_held(architecture) else num_words * hidden
    return total


def _part_bytes(
    architecture: TransformerArchitecture, plan: ParallelPlan, part: DevicePart, rows: Span, load: Load
) -> int:
    if plan.strategy not in SHARED:
        whole = whole_bytes(architecture, part.layers, len(rows), load, plan.wire)
        is_shared = plan.strategy is Strategy.SEQUENCE and len(plan.parts) > 1
        return whole + (shared_rows_bytes(architecture, rows, load) if is_shared else 0)
    tile = max(
        (len(tile) for span in plan.row_spans(load.num_tokens) for tile in plan.tiles(span)), default=0
    )
    need = shared_need(architecture, plan.strategy, load, plan.wire, tile)
    return int(need.of(len(part.share.kv_heads), len(part.share.ffn_columns))) + 1


def shared_rows_bytes(architecture: TransformerArchitecture, rows: Span, load: Load) -> int:
    """Keys and values of two layers that all rows have at once, and those that come.

    Places before may be ahead by all layers of a decoder: so many come from rows before, and own ones wait to
    be sent. Where a request is of another length than the one before, what came for that is there too until
    its room is made. Of an encoder, two layers come.
    """
    held = 2 * load.num_tokens
    coming = architecture.num_layers * (rows.begin + rows.end) if architecture.is_decoder else held
    return load.itemsize * (held + coming) * 2 * architecture.kv_size


def _layer_weights(architecture: TransformerArchitecture, kv_heads: int, columns: int) -> int:
    """Weights of one layer, with the biases that one of the devices adds."""
    hidden, vectors = architecture.hidden_size, 2 if architecture.has_biases else 1
    keys = kv_heads * architecture.head_size
    queries = keys * architecture.heads_per_kv
    entries = queries + 2 * keys
    ups = columns * (2 if architecture.has_gate else 1)
    total = (entries + queries + ups + columns) * hidden + 2 * vectors * hidden
    return total + (entries + ups + 2 * hidden if architecture.has_biases else 0)


def _head_rows(architecture: TransformerArchitecture, load: Load) -> int:
    """Values that each head of keys and values has of all tokens, those in work and those that are kept."""
    queries = architecture.heads_per_kv * architecture.head_size
    # Tiles of a decoder may be in two layers at once; what attention gives lies beside them.
    in_work = load.num_tokens * (3 * queries + 4 * architecture.head_size)
    return in_work + load.kept_positions * architecture.num_layers * 2 * architecture.head_size


def _logits(architecture: TransformerArchitecture) -> int:
    """Those of one row: what devices have, and all beside each other."""
    return 2 * architecture.vocab_size if architecture.is_decoder else 0


def _is_head_held(architecture: TransformerArchitecture) -> bool:
    """Whether the weights of the head are those of the embedding."""
    return architecture.is_head_tied or not architecture.is_decoder
