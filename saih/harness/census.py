"""What a step really runs: its operations counted, by phase, kind and size, in a step that nobody times.

Every operation that torch dispatches in the thread of the step is seen, its backward pass included. FLOPs are
those of torch's own counter (products and convolutions), bytes those of the tensors read and written. Views
and allocations run nothing and are left out.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from saih.domain.counted import CountedOperation
from workloads.protocol import Mark, OpKind, PhaseName

_NO_WORK = frozenset(
    (
        "empty",
        "empty_like",
        "empty_strided",
        "new_empty",
        "new_empty_strided",
        "detach",
        "_reshape_alias",
        "_unsafe_view",
    )
)
_CPU_ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
_CONVOLUTIONS = frozenset(("convolution", "_convolution", "convolution_backward", "mkldnn_convolution"))


class _Kind(NamedTuple):
    """What operations have in common that are counted as one."""

    phase: str
    kind: OpKind
    size: int
    """Binary logarithm of the bytes of one."""
    channels: float


class Census(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its making untyped
    """Counts operations while it is entered; phases are named as they end, as for a timer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._open: list[tuple[OpKind, int, int, float]] = []
        self._flops: Counter[_Kind] = Counter()
        self._bytes: Counter[_Kind] = Counter()
        self._num: Counter[_Kind] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled under it: torch need not load its compiler to leave it out."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # Any: torch's protocol, and whatever the operation gives
        """Run one operation, and count it."""
        named = dict(kwargs or {})
        with self:  # where nothing is differentiated, torch hands over whole what is made of other operations
            made = func.decompose(*args, **named)
        if made is not NotImplemented:
            return made
        result = func(*args, **named)
        if not _is_free(func):
            self._open.append(_measured(func, args, named, result))
        return result

    def end(self, phase: PhaseName) -> None:
        """All operations since the last call belonged to ``phase``."""
        for kind, flops, memory_bytes, channels in self._open:
            key = _Kind(phase.removesuffix("_part"), kind, max(0, memory_bytes).bit_length(), channels)
            self._flops[key] += flops
            self._bytes[key] += memory_bytes
            self._num[key] += 1
        self._open.clear()

    def marking(self, mark: Mark) -> Mark:
        """``mark``, with the operations counted as it names phases."""

        def both(phase: PhaseName) -> None:
            mark(phase)
            self.end(phase)

        return both

    def operations(self) -> tuple[CountedOperation, ...]:
        """Everything of the phases that ended."""
        return tuple(
            CountedOperation(
                phase=key.phase,
                kind=key.kind,
                flops=self._flops[key],
                memory_bytes=self._bytes[key],
                num_kernels=number,
                channels=key.channels,
            )
            for key, number in sorted(self._num.items())
        )


def _is_free(func: Any) -> bool:  # Any: torch._ops.OpOverload
    return bool(func.is_view) or func.overloadpacket.__name__ in _NO_WORK


def _measured(
    func: Any, args: Sequence[Any], named: Mapping[str, Any], result: Any
) -> tuple[OpKind, int, int, float]:
    packet = func.overloadpacket
    if packet.__name__ == _CPU_ATTENTION:
        flops = _attention_flops(*args)
    else:
        count = flop_registry.get(packet)
        flops = int(count(*args, **named, out_val=result)) if count is not None else 0
    kind = OpKind.ELEMENTWISE
    if flops:
        kind = OpKind.CONVOLUTION if packet.__name__ in _CONVOLUTIONS else OpKind.MATMUL
    tensors = {id(one): one for one in _tensors((args, named, result))}
    return kind, flops, sum(_bytes(one) for one in tensors.values()), _channels(kind, args)


def _attention_flops(queries: Tensor, keys: Tensor, *_rest: object) -> int:
    """Attention on a CPU, which torch's counter leaves out: queries by keys, then weights by values."""
    return 4 * queries.numel() * keys.shape[-2]


def _tensors(values: Any) -> Iterator[Tensor]:
    return (one for one in tree_leaves(values) if isinstance(one, Tensor))


def _bytes(tensor: Tensor) -> int:
    """Of its distinct values: an expanded dimension (stride 0) is stored once."""
    shape = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.element_size() * math.prod(size for size, stride in shape if stride)


def _channels(kind: OpKind, args: Sequence[Any]) -> float:
    """The abscissa of arithmetic ceilings: the last two tensors of a product, or the weight's channels."""
    operands = [one for one in args if isinstance(one, torch.Tensor)]
    if kind is OpKind.CONVOLUTION:
        weight = next((one for one in reversed(operands) if one.ndim >= 3), operands[-1])
        return round(math.sqrt(weight.shape[0] * weight.shape[1]), 3)
    if kind is OpKind.MATMUL:
        left, right = operands[-2:]
        return round(math.prod((left.shape[-2], left.shape[-1], right.shape[-1])) ** (1 / 3), 3)
    return 1.0
