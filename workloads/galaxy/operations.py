"""Every operation of one request, as the mean device does it.

Convention: a multiply-add is 2; products alone have FLOPs; attention counts every pair of a new token and one
that it is held against, masked ones included, twice (queries by keys, weights by values). Traffic takes every
operand once for each pass; every pass reads weights, and whoever holds the whole of one reads all of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from workloads.galaxy.plan import Strategy
from workloads.protocol import Operation, OpKind
from workloads.transformer.architecture import TransformerArchitecture

_TOKEN_BYTES = 8
"""Token ids are int64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Forward passes of one kind in a request."""

    name: str
    """``prompt`` or ``decode``."""
    num_passes: int
    num_rows: int
    """Over all of them."""
    num_pairs: int
    """Of a new token and one that it is held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of passes, and who shares them."""

    architecture: TransformerArchitecture
    strategy: Strategy
    num_devices: int
    itemsize: int
    passes: Passes

    @property
    def layer_passes(self) -> int:
        """Passes through a layer, over all layers."""
        return self.passes.num_passes * self.architecture.num_layers

    @property
    def weights_part(self) -> float:
        """Part of every weight that the mean device reads in a pass."""
        return 1.0 if self.strategy is Strategy.SEQUENCE else 1.0 / self.num_devices

    @property
    def rows_part(self) -> float:
        """Part of the work between products that the mean device does."""
        return 1.0 if self.strategy is Strategy.TENSOR else 1.0 / self.num_devices


def request_passes(sequence: int, num_new_tokens: int) -> tuple[Passes, ...]:
    """The passes of a request: its prompt at once, and then token by token."""
    prompt = Passes(name="prompt", num_passes=1, num_rows=sequence, num_pairs=sequence**2)
    if not num_new_tokens:
        return (prompt,)
    # The k-th new token sees the prompt and k tokens, itself included.
    pairs = num_new_tokens * sequence + num_new_tokens * (num_new_tokens + 1) // 2
    decode = Passes(name="decode", num_passes=num_new_tokens, num_rows=num_new_tokens, num_pairs=pairs)
    return prompt, decode


def operations_of(work: Work) -> Iterator[Operation]:
    """The operations of these passes, those of alike layers together, in the order in which they run."""
    architecture, rows = work.architecture, work.passes.num_rows
    hidden, ffn, layers = architecture.hidden_size, architecture.ffn_size, architecture.num_layers
    gates = 2 if architecture.has_gate else 1
    yield _elementwise(work, "embedding", 3 * rows * hidden + rows * _TOKEN_BYTES / work.itemsize, 2)
    yield _elementwise(work, "norms of attention", 2 * rows * hidden * layers, layers)
    yield _product(work, "entry of attention", hidden, architecture.attention_size + 2 * architecture.kv_size)
    yield _attention(work)
    yield _product(work, "output of attention", architecture.attention_size, hidden)
    yield _elementwise(work, "sums behind attention", 3 * rows * hidden * layers, layers)
    yield _elementwise(work, "norms of the MLP", 2 * rows * hidden * layers, layers)
    yield _product(work, "entry of the MLP", hidden, ffn * gates)
    yield _elementwise(work, "activation", rows * ffn * layers * (gates + 1), layers, is_shared=True)
    yield _product(work, "output of the MLP", ffn, hidden)
    yield _elementwise(work, "sums behind the MLP", 3 * rows * hidden * layers, layers)
    if architecture.is_decoder:
        yield _head(work)


def _product(work: Work, name: str, columns_in: int, columns_out: int) -> Operation:
    """One product of every layer."""
    rows, layers = work.passes.num_rows, work.architecture.num_layers
    rows_per_pass = rows / work.passes.num_passes
    weights = columns_in * columns_out * work.layer_passes * work.weights_part
    values = rows * (columns_in + columns_out) * layers / work.num_devices
    return Operation(
        name=f"{work.passes.name}: {name}",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(2 * rows * columns_in * columns_out * layers / work.num_devices),
        memory_bytes=round((values + weights) * work.itemsize),
        num_kernels=work.layer_passes,
        channels=math.cbrt(max(1.0, rows_per_pass * columns_in * columns_out / work.num_devices)),
    )


def _attention(work: Work) -> Operation:
    """Two products for each head; keys and values are read once for each pass."""
    architecture, passes = work.architecture, work.passes
    seen = passes.num_pairs / passes.num_rows
    values = passes.num_passes * seen * 2 * architecture.kv_size
    values += passes.num_rows * 2 * architecture.attention_size
    flops = 4 * passes.num_pairs * architecture.attention_size * architecture.num_layers
    return Operation(
        name=f"{passes.name}: attention",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(flops / work.num_devices),
        memory_bytes=round(values * architecture.num_layers * work.itemsize / work.num_devices),
        num_kernels=work.layer_passes,
        channels=math.cbrt(passes.num_rows / passes.num_passes * seen * architecture.head_size),
    )


def _head(work: Work) -> Operation:
    """The logits of the last token of each pass."""
    num, hidden = work.passes.num_passes, work.architecture.hidden_size
    vocabulary, part = work.architecture.vocab_size, 1.0 / work.num_devices
    values = num * (hidden + vocabulary + hidden * vocabulary)
    return Operation(
        name=f"{work.passes.name}: logits",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(2 * num * hidden * vocabulary * part),
        memory_bytes=round(values * work.itemsize * part),
        num_kernels=num,
        channels=math.cbrt(hidden * vocabulary * part),
    )


def _elementwise(
    work: Work, name: str, values: float, num_kernels: int, *, is_shared: bool = False
) -> Operation:
    """Work that is bound by memory; ``is_shared``: on columns that devices share whatever the strategy."""
    part = 1.0 / work.num_devices if is_shared else work.rows_part
    return Operation(
        name=f"{work.passes.name}: {name}",
        phase="forward",
        kind=OpKind.ELEMENTWISE,
        flops=0,
        memory_bytes=round(values * part * work.itemsize),
        num_kernels=num_kernels * work.passes.num_passes,
        channels=1.0,
    )
