"""The ranks of one stage, and how they tell each other things and add up.

What is small goes straight over a TCP connection between each two of them, what is large by the process
group: gloo moves each part in a thread of its own, so that two ranks on busy cores summed 4 KB in 2.6 ms and
256 KB in 0.9 ms where sockets took 0.15 and 0.3 ms; but it moves large parts in both directions at once.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from torch.distributed import P2POp, ProcessGroup

from workloads.transport.host_bytes import bytes_of, fill
from workloads.transport.link_error import LinkError

_SMALL_BYTES = 1 << 18
_BUFFER_BYTES = 4 * _SMALL_BYTES
_TAG = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Mates:
    """All ranks of one stage as one of them sees them; all of them make the same calls in the same order."""

    ranks: Sequence[int]
    """By their numbers in the engine, rising."""
    rank: int
    """This one."""
    connections: Mapping[int, socket.socket]
    """To each of the others."""
    small_bytes: int
    """What is sent over a connection at most before anything is read from it; see ``agreed_small_bytes``."""
    bodies: ProcessGroup
    """For what is large: gloo, or nccl."""
    device: torch.device
    """Where sums are made: the host with gloo."""

    def tell(self, own: bytes) -> list[bytes]:
        """What each rank tells, by rank; all of them tell the same number of bytes, few."""
        told = [bytearray(own) for _ in self.ranks]
        with self._reached():
            self._swap(memoryview(own), [memoryview(each) for each in told])
        return [bytes(each) for each in told]

    def sum(self, part: Tensor) -> Tensor:
        """The sum of all ranks' parts, each of the same shape: the same bits on every rank."""
        whole = part.to(self.device).contiguous()
        if not self._is_small(whole.nbytes):
            with self._reached():
                distributed.all_reduce(whole, group=self.bodies)
                return whole.to(part.device)
        parts = self._room(whole, [whole.shape[-1]] * len(self.ranks))
        with self._reached():
            self._swap(bytes_of(whole), [bytes_of(each) for each in parts])
            total, *others = parts
            for (
                other
            ) in others:  # in the order of ranks: sums in another order would differ in their last bits
                total = total.add_(other)
            return total.to(part.device)

    def gather(self, part: Tensor, columns: Sequence[int], agree: Callable[[], None]) -> Tensor:
        """All parts [rows, columns] beside each other; ``columns`` of each rank, rows the same.

        ``agree`` is called when nothing is left that could fail here alone before the others are met.
        """
        own = part.to(self.device).contiguous()
        parts = self._room(own, columns)
        agree()
        if self._is_small(own.shape[0] * max(columns) * own.dtype.itemsize):
            with self._reached():
                self._swap(bytes_of(own), [bytes_of(each) for each in parts])
        else:
            self._swap_by_group(own, parts)
        return torch.cat(parts, dim=-1).to(part.device)

    def _is_small(self, num_bytes: int) -> bool:
        return self.device.type == "cpu" and num_bytes <= self.small_bytes

    def _swap_by_group(self, own: Tensor, parts: Sequence[Tensor]) -> None:
        """Pair by pair: gloo's own gather takes only parts of equal size."""
        swaps = []
        for rank, part in zip(self.ranks, parts, strict=True):
            if rank != self.rank:
                swaps.append(P2POp(distributed.isend, own, rank, self.bodies, _TAG))
                swaps.append(P2POp(distributed.irecv, part, rank, self.bodies, _TAG))
        with self._reached():
            for work in distributed.batch_isend_irecv(swaps):
                work.wait()

    def _room(self, own: Tensor, columns: Sequence[int]) -> list[Tensor]:
        return [
            own if rank == self.rank else own.new_empty((*own.shape[:-1], width))
            for rank, width in zip(self.ranks, columns, strict=True)
        ]

    def _swap(self, own: memoryview, rooms: Sequence[memoryview]) -> None:
        """Send first and then read: what is small fits into the buffers of a connection."""
        for connection in self.connections.values():
            connection.sendall(own)
        for rank, room in zip(self.ranks, rooms, strict=True):
            if rank != self.rank:
                fill(room, self.connections[rank])

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """A rank that breaks off in the middle of an exchange, why ever, cannot meet the others any more."""
        try:
            yield
        except LinkError:
            raise
        except Exception as error:
            raise LinkError(
                f"the connection among ranks {list(self.ranks)} of a stage is lost: {error}"
            ) from error


def agreed_small_bytes(connections: Sequence[socket.socket], group: ProcessGroup) -> int:
    """What the buffers of all connections among the ranks of a group take for sure before anybody reads."""
    for each in connections:
        if each.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < _BUFFER_BYTES:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)  # or what the system allows
    # A quarter: a rank may be one exchange ahead, and the kernel counts its own records of the data too.
    rooms = [each.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 4 for each in connections]
    least = torch.tensor(min([_SMALL_BYTES, *rooms]))
    distributed.all_reduce(least, distributed.ReduceOp.MIN, group)
    return int(least)
