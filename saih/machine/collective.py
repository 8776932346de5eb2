"""Probes of the interconnect: collectives and messages of torch.distributed and of MPI, by size."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from saih.domain.ceiling import CeilingKind
from saih.machine.mpi import MPI
from saih.machine.sampling import CurveName, Probe, Rung

TIMEOUT_S = 60.0
KINDS = (CeilingKind.ALL_REDUCE, CeilingKind.ALL_GATHER, CeilingKind.REDUCE_SCATTER, CeilingKind.SEND)
_SIZES_BYTES = (4, 2**6, 2**8, 2**10, 2**12, 2**14, 2**16, 2**18, 2**20, 2**22, 2**24, 2**25, 2**26)
_FLOAT_BYTES = 4
# torch 2.13 renamed both and warns of the old names.
_all_gather = getattr(dist, "all_gather_single", dist.all_gather_into_tensor)
_reduce_scatter = getattr(dist, "reduce_scatter_single", dist.reduce_scatter_tensor)


def collective_name(kind: CeilingKind, backend: str) -> CurveName:
    """The curve of one operation of one backend."""
    return CurveName(kind=kind, precision="", unit="s", size_unit="bytes", variant=backend)


def torch_rungs(
    kind: CeilingKind, device: torch.device, num_ranks: int, rank: int, most_bytes: float = 2**26
) -> list[Rung]:
    """Operations on float32 vectors by the backend of the gradients, gloo or nccl."""
    vectors = partial(_TorchVectors, device=device, num_ranks=num_ranks, rank=rank)
    return _rungs(kind, num_ranks, most_bytes, lambda count: _TORCH[kind](vectors(count=count)))


def mpi_rungs(kind: CeilingKind, comm: MPI.Intracomm, most_bytes: float = 2**26) -> list[Rung]:
    """The same by MPI, on float32 vectors in the memory of the host."""
    vectors = partial(_HostVectors, comm=comm)
    return _rungs(kind, comm.size, most_bytes, lambda count: _MPI[kind](vectors(count=count)))


def _rungs(
    kind: CeilingKind, num_ranks: int, most_bytes: float, prepare: Callable[[int], Callable[[], object]]
) -> list[Rung]:
    """``prepare`` gets the count of floats of the whole vector; ranks share it out evenly where they must."""
    is_shared_out = kind in (CeilingKind.ALL_GATHER, CeilingKind.REDUCE_SCATTER)
    parts = num_ranks if is_shared_out else 1
    counts = {max(1, size // (_FLOAT_BYTES * parts)) * parts for size in _SIZES_BYTES if size <= most_bytes}
    return [
        Rung(
            size=float(_FLOAT_BYTES * count),
            work=float(_FLOAT_BYTES * count),
            ways=(partial(_probe, prepare, count),),
            parts_per_call=2 if kind is CeilingKind.SEND else 1,  # there and back
        )
        for count in sorted(counts)
    ]


def _probe(prepare: Callable[[int], Callable[[], object]], count: int) -> Probe:
    return Probe(call=prepare(count))


def _partner(rank: int, num_ranks: int) -> int | None:
    """Ranks of the first half meet those of the second, so that messages leave a node if they can."""
    half = num_ranks // 2
    if rank >= 2 * half:
        return None
    return rank + half if rank < half else rank - half


@dataclass(frozen=True, slots=True, kw_only=True)
class _TorchVectors:
    count: int
    device: torch.device
    num_ranks: int
    rank: int

    def whole(self) -> torch.Tensor:
        # Zeros stay zeros however often they are summed; ones would overflow.
        return torch.zeros(self.count, device=self.device)

    def part(self) -> torch.Tensor:
        return torch.zeros(self.count // self.num_ranks, device=self.device)


def _torch_ping_pong(vectors: _TorchVectors) -> Callable[[], object]:
    partner = _partner(vectors.rank, vectors.num_ranks)
    if partner is None:
        return _nothing
    send, receive = partial(dist.send, vectors.whole(), partner), partial(dist.recv, vectors.whole(), partner)
    return _in_turn(send, receive) if vectors.rank < partner else _in_turn(receive, send)


def _in_turn(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
    """There and back. What is sent is never what was received: that would lie in another core's cache."""

    def call() -> None:
        first()
        second()

    return call


def _nothing() -> None:
    """What a rank without a partner does."""


_TORCH: dict[CeilingKind, Callable[[_TorchVectors], Callable[[], object]]] = {
    CeilingKind.ALL_REDUCE: lambda own: partial(dist.all_reduce, own.whole()),
    CeilingKind.ALL_GATHER: lambda own: partial(_all_gather, own.whole(), own.part()),
    CeilingKind.REDUCE_SCATTER: lambda own: partial(_reduce_scatter, own.part(), own.whole()),
    CeilingKind.SEND: _torch_ping_pong,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _HostVectors:
    count: int
    comm: MPI.Intracomm

    def whole(self) -> NDArray[np.float32]:
        return _written(self.count)

    def part(self) -> NDArray[np.float32]:
        return _written(self.count // self.comm.size)


def _written(count: int) -> NDArray[np.float32]:
    """Zeros in memory of their own: all pages that nobody wrote to are one page of the kernel's, in cache."""
    return np.full(count, 0.0, np.float32)


def _mpi_ping_pong(vectors: _HostVectors) -> Callable[[], object]:
    comm = vectors.comm
    partner = _partner(comm.rank, comm.size)
    if partner is None:
        return _nothing
    sent, received = ([vectors.whole(), vectors.count, MPI.FLOAT] for _ in range(2))
    send, receive = partial(comm.Send, sent, partner), partial(comm.Recv, received, partner)
    return _in_turn(send, receive) if comm.rank < partner else _in_turn(receive, send)


_MPI: dict[CeilingKind, Callable[[_HostVectors], Callable[[], object]]] = {
    CeilingKind.ALL_REDUCE: lambda own: partial(own.comm.Allreduce, own.whole(), own.whole()),
    CeilingKind.ALL_GATHER: lambda own: partial(own.comm.Allgather, own.part(), own.whole()),
    CeilingKind.REDUCE_SCATTER: lambda own: partial(own.comm.Reduce_scatter_block, own.whole(), own.part()),
    CeilingKind.SEND: _mpi_ping_pong,
}
