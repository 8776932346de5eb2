"""The ranks of tensor-parallel groups as threads of one process, and stages one after the other."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.exchange import Alone, TensorExchange
from workloads.transformer.kv_cache import CachePool
from workloads.transformer.layer_store import WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.place import Place
from workloads.transformer.split import layer_stages, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

CPU64 = Place(device=torch.device("cpu"), dtype=torch.float64)
PATIENCE_S = 60.0
CACHE_BYTES = 1 << 24


class ThreadExchange:
    """One rank's end of a group whose ranks meet at a barrier; it notes what is exchanged."""

    def __init__(self, rank: int, parts: list[Tensor], barrier: threading.Barrier) -> None:
        self._rank, self._parts, self._barrier = rank, parts, barrier
        self.calls: list[tuple[str, tuple[int, ...]]] = []

    def sum(self, part: Tensor) -> Tensor:
        self.calls.append(("sum", tuple(part.shape)))
        return torch.stack(self._met(part)).sum(dim=0)

    def gather(self, part: Tensor, columns: Sequence[int]) -> Tensor:
        self.calls.append(("gather", tuple(part.shape)))
        parts = self._met(part)
        assert [one.shape[-1] for one in parts] == list(columns)
        return torch.cat(parts, dim=-1)

    def _met(self, part: Tensor) -> list[Tensor]:
        self._parts[self._rank] = part.clone()
        self._barrier.wait(PATIENCE_S)
        parts = list(self._parts)
        self._barrier.wait(PATIENCE_S)
        return parts


@dataclass(frozen=True, kw_only=True)
class Model:
    """All stages of a model, each with the ranks of its group and their caches."""

    stages: list[list[Stage]]
    pools: list[list[CachePool]] = field(default_factory=list)

    def forward(
        self, tokens: Tensor, layout: Layout, want: Want = Want.ALL_ROWS, sequence_ids: Sequence[int] = ()
    ) -> Tensor:
        """What every rank of the last stage gives, which is the same on all."""
        rows = tokens
        for stages, pools in zip(self.stages, self.pools, strict=True):
            given = rows.clone()
            passes = [
                _one_pass(stage, pool, given, layout, want, sequence_ids)
                for stage, pool in zip(stages, pools, strict=True)
            ]
            results = in_threads(passes)
            assert torch.equal(given, rows)
            assert all(torch.equal(result, results[0]) for result in results)
            rows = results[0]
        return rows


def model_of(
    architecture: TransformerArchitecture,
    weights: WeightSource,
    *,
    speeds: Sequence[float] = (1.0,),
    num_stages: int = 1,
    place: Place = CPU64,
) -> Model:
    """A model shared by as many ranks as there are speeds, in stages of layers."""
    shares = tensor_shares(architecture, len(speeds), speeds)
    spans = layer_stages([1.0] * architecture.num_layers, num_stages)
    return Model(
        stages=[
            [
                load_stage(architecture, layers, share, weights, exchange, place)
                for share, exchange in zip(shares, exchanges(len(shares)), strict=True)
            ]
            for layers in spans
        ],
        pools=[
            [CachePool(CACHE_BYTES, architecture, layers, share, place) for share in shares]
            for layers in spans
        ],
    )


def exchanges(num_ranks: int) -> list[TensorExchange]:
    """The ends of one group."""
    if num_ranks == 1:
        return [Alone()]
    parts = [torch.empty(0)] * num_ranks
    barrier = threading.Barrier(num_ranks)
    return [ThreadExchange(rank, parts, barrier) for rank in range(num_ranks)]


def in_threads(calls: Sequence[Callable[[], Tensor]]) -> list[Tensor]:
    """What calls that wait for each other give."""
    if len(calls) == 1:
        return [calls[0]()]
    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        return [future.result(PATIENCE_S) for future in [threads.submit(call) for call in calls]]


def _one_pass(
    stage: Stage, pool: CachePool, rows: Tensor, layout: Layout, want: Want, sequence_ids: Sequence[int]
) -> Callable[[], Tensor]:
    def run() -> Tensor:
        with torch.inference_mode():
            caches = pool.prepare(sequence_ids, layout) if sequence_ids else None
            return stage.forward(rows, layout, want, caches)

    return run
