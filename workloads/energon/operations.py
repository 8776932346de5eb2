"""Every operation of one step of inference, as the mean rank of a replica does it.

Convention: a multiply-add is 2; products alone have FLOPs, as torch's FlopCounterMode counts; attention
counts every pair of a new token and a token that it is held against, masked ones included, twice (queries by
keys, weights by values). Traffic takes every operand once for each pass; weights are read by every pass.
Embeddings, norms and whatever else the tensor-parallel ranks all do is counted for each of them. What ranks
tell each other is no operation but an exchange (``exchanges``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from workloads.energon.passes import PassSum
from workloads.energon.plan import EnginePlan
from workloads.energon.stage_waits import hops_in_a_row, stretch
from workloads.protocol import Operation, OpKind
from workloads.transformer.architecture import TransformerArchitecture

_TOKEN_BYTES = 8
"""Token ids are int64."""
_SUMS_PER_LAYER = 2
"""After the output of attention, and after the second product of the MLP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """What the mean rank of a replica brings to sums and messages in one step."""

    num_exchanges: int
    num_bytes: int
    num_awaited: int
    """Of other stages, while it waits."""
    awaited_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    architecture: TransformerArchitecture
    plan: EnginePlan
    itemsize: int
    passes: PassSum
    stretch: float

    @property
    def layer_passes(self) -> int:
        """Passes through a layer, over all layers."""
        return self.passes.num_passes * self.architecture.num_layers


def step_operations(
    architecture: TransformerArchitecture, plan: EnginePlan, itemsize: int, sums: tuple[PassSum, ...]
) -> tuple[Operation, ...]:
    """All operations of one step, those of alike layers together, in the order in which they run."""
    return tuple(
        operation
        for passes in sums
        for operation in _operations(
            _Step(
                architecture=architecture,
                plan=plan,
                itemsize=itemsize,
                passes=passes,
                stretch=stretch(architecture, plan, passes),
            )
        )
    )


def exchanges(
    architecture: TransformerArchitecture, plan: EnginePlan, itemsize: int, sums: tuple[PassSum, ...]
) -> Exchanges:
    """Two sums in each layer among tensor-parallel ranks, their logits, and one message between two stages.

    A gather of logits has as many bytes as this rank's part.
    """
    stages = plan.pipeline_parallel
    num, num_bytes, num_awaited, awaited_bytes = 0.0, 0.0, 0.0, 0.0
    for passes in sums:
        of_others = stretch(architecture, plan, passes) - 1
        num_sums, sum_bytes = _tensor_sums(architecture, plan, itemsize, passes)
        pass_bytes = passes.rows_per_pass * architecture.hidden_size * itemsize
        num_hops = passes.num_passes * (stages - 1) / stages
        more_hops = max(0.0, hops_in_a_row(stages, passes) - num_hops)
        num += num_sums + num_hops
        num_bytes += sum_bytes + num_hops * pass_bytes
        num_awaited += of_others * num_sums + more_hops
        awaited_bytes += of_others * sum_bytes + more_hops * pass_bytes
    return Exchanges(
        num_exchanges=round(num),
        num_bytes=round(num_bytes),
        num_awaited=round(num_awaited),
        awaited_bytes=round(awaited_bytes),
    )


def _tensor_sums(
    architecture: TransformerArchitecture, plan: EnginePlan, itemsize: int, passes: PassSum
) -> tuple[float, float]:
    """Sums and gathers of the mean rank in these passes, and their bytes; none where ranks share no layer."""
    tensor, stages = plan.tensor_parallel, plan.pipeline_parallel
    if tensor == 1:
        return 0.0, 0.0
    per_pass = _SUMS_PER_LAYER * architecture.num_layers / stages
    num = per_pass * passes.num_passes
    num_bytes = per_pass * passes.num_rows * architecture.hidden_size * itemsize
    if architecture.is_decoder:
        num += passes.num_passes / stages
        num_bytes += passes.num_sequences * architecture.vocab_size * itemsize / tensor / stages
    return num, num_bytes


def _operations(step: _Step) -> Iterator[Operation]:
    architecture, rows = step.architecture, step.passes.num_rows
    hidden, ffn = architecture.hidden_size, architecture.ffn_size
    yield _embedding(step)
    yield _norms(step, "norms of attention", step.layer_passes)
    # Queries, keys and values are one product, as are both products that enter a gated MLP.
    yield _product(step, "entry of attention", hidden, architecture.attention_size + 2 * architecture.kv_size)
    yield _attention(step)
    yield _product(step, "output of attention", architecture.attention_size, hidden, is_summed=True)
    yield _sums(step, "sums behind attention")
    yield _norms(step, "norms of the MLP", step.layer_passes)
    yield _product(step, "entry of the MLP", hidden, ffn * (2 if architecture.has_gate else 1))
    values = rows * ffn * architecture.num_layers * (3 if architecture.has_gate else 2)
    yield _elementwise(step, "activation", values, step.layer_passes)
    yield _product(step, "output of the MLP", ffn, hidden, is_summed=True)
    yield _sums(step, "sums behind the MLP")
    if architecture.is_decoder:
        yield from _head(step)


def _product(
    step: _Step, name: str, columns_in: int, columns_out: int, *, is_summed: bool = False
) -> Operation:
    """One product of every layer; its ranks share the columns that go out, or in where they sum up."""
    tensor, ranks = step.plan.tensor_parallel, step.plan.num_ranks
    rows, layers = step.passes.num_rows, step.architecture.num_layers
    values_in, values_out = rows * columns_in * layers, rows * columns_out * layers
    values = values_in + values_out * tensor if is_summed else values_in * tensor + values_out
    weights = columns_in * columns_out * step.layer_passes
    return Operation(
        name=f"{step.passes.name}: {name}",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(2 * rows * columns_in * columns_out * layers / ranks),
        memory_bytes=round((values + weights) * step.itemsize / ranks),
        num_kernels=math.ceil(step.layer_passes / step.plan.pipeline_parallel),
        channels=math.cbrt(step.passes.rows_per_pass * columns_in * columns_out / tensor),
        stretch=step.stretch,
    )


def _attention(step: _Step) -> Operation:
    """Two products for each head and sequence; keys and values are read once for each sequence."""
    architecture, passes, ranks = step.architecture, step.passes, step.plan.num_ranks
    pairs = passes.num_pairs * architecture.num_layers
    seen = passes.num_pairs / passes.num_rows  # mean tokens that a new one is held against
    read = passes.num_context * 2 * architecture.kv_size
    written = passes.num_rows * 2 * architecture.attention_size
    return Operation(
        name=f"{passes.name}: attention",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(4 * pairs * architecture.attention_size / ranks),
        memory_bytes=round((read + written) * architecture.num_layers * step.itemsize / ranks),
        num_kernels=math.ceil(passes.num_sequences * architecture.num_layers / step.plan.pipeline_parallel),
        channels=math.cbrt(passes.num_rows / passes.num_sequences * seen * architecture.head_size),
        stretch=step.stretch,
    )


def _head(step: _Step) -> Iterator[Operation]:
    """The last norm, and the logits of the last token of each sequence, on the ranks of the last stage."""
    architecture, passes, ranks = step.architecture, step.passes, step.plan.num_ranks
    rows, hidden, vocabulary = passes.num_sequences, architecture.hidden_size, architecture.vocab_size
    values = rows * (hidden * step.plan.tensor_parallel + vocabulary)
    stages = step.plan.pipeline_parallel
    normed_bytes = 2 * rows * hidden * step.itemsize / stages
    yield _on_every(step, "last norm", normed_bytes, math.ceil(passes.num_passes / stages))
    yield Operation(
        name=f"{passes.name}: logits",
        phase="forward",
        kind=OpKind.MATMUL,
        flops=round(2 * rows * hidden * vocabulary / ranks),
        memory_bytes=round((values + passes.num_passes * hidden * vocabulary) * step.itemsize / ranks),
        num_kernels=math.ceil(passes.num_passes / step.plan.pipeline_parallel),
        channels=math.cbrt(rows / passes.num_passes * hidden * vocabulary / step.plan.tensor_parallel),
        stretch=step.stretch,
    )


def _embedding(step: _Step) -> Operation:
    """Rows of the tables are read and added on every rank of the first stage."""
    rows, stages = step.passes.num_rows, step.plan.pipeline_parallel
    values = 3 * rows * step.architecture.hidden_size * step.itemsize + rows * _TOKEN_BYTES
    return _on_every(step, "embedding", values / stages, math.ceil(2 * step.passes.num_passes / stages))


def _norms(step: _Step, name: str, num_norms: int) -> Operation:
    """So many norms over all layers and passes, each done by every tensor-parallel rank."""
    values = 2 * num_norms * step.passes.rows_per_pass * step.architecture.hidden_size
    stages = step.plan.pipeline_parallel
    return _on_every(step, name, values * step.itemsize / stages, math.ceil(num_norms / stages))


def _sums(step: _Step, name: str) -> Operation:
    """The residual sum of every layer, done by every tensor-parallel rank."""
    values = 3 * step.passes.num_rows * step.architecture.hidden_size * step.architecture.num_layers
    stages = step.plan.pipeline_parallel
    kernels = math.ceil(step.layer_passes / stages)
    return _on_every(step, name, values * step.itemsize / stages, kernels)


def _elementwise(step: _Step, name: str, values: int, num_kernels: int) -> Operation:
    """Work on columns that tensor-parallel ranks share."""
    memory_bytes = values * step.itemsize / step.plan.num_ranks
    return _on_every(step, name, memory_bytes, math.ceil(num_kernels / step.plan.pipeline_parallel))


def _on_every(step: _Step, name: str, memory_bytes: float, num_kernels: int) -> Operation:
    return Operation(
        name=f"{step.passes.name}: {name}",
        phase="forward",
        kind=OpKind.ELEMENTWISE,
        flops=0,
        memory_bytes=round(memory_bytes),
        num_kernels=num_kernels,
        channels=1.0,
        stretch=step.stretch,
    )
