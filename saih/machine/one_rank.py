"""What SAIH asks of MPI, where a rank is alone and has none: names and meaning are those of mpi4py.

Messages to others are not in it: nobody is there to send them to.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

IN_PLACE = object()
BYTE, FLOAT = np.dtype(np.uint8), np.dtype(np.float32)
MIN, MAX, SUM = "min", "max", "sum"
"""Of one rank's values, every reduction is the value itself."""
COMM_TYPE_SHARED = 0
THREAD_MULTIPLE = 3
Buffer = Any
"""An array, bytes, or a list that begins with one, as mpi4py takes them."""


class Request:
    """A collective that has ended already."""

    def Test(self) -> bool:
        """Whether it has ended."""
        return True


class Intracomm:
    """A communicator of one rank; every part of it is itself."""

    rank, size = 0, 1

    def __init__(self, _other: "Intracomm | None" = None) -> None:
        """As mpi4py's, which is made of another one."""

    def Split(self, _color: int = 0, _key: int = 0) -> "Intracomm":
        """The ranks of one colour."""
        return Intracomm()

    def Split_type(self, _kind: int) -> "Intracomm":
        """The ranks of one node."""
        return Intracomm()

    def Dup(self) -> "Intracomm":
        """A copy whose messages do not meet those of the first."""
        return Intracomm()

    def Free(self) -> None:
        """Nothing is held."""

    def Abort(self, code: int) -> None:
        """End all ranks at once, whatever other threads do."""
        os._exit(code)

    def Barrier(self) -> None:
        """All ranks are here."""

    def Ibarrier(self) -> Request:
        """All ranks are here."""
        return Request()

    def Bcast(self, _buffer: Buffer, root: int = 0) -> None:
        """The values of ``root`` are here."""

    def Ibcast(self, _buffer: Buffer, root: int = 0) -> Request:
        """The values of ``root`` are here."""
        return Request()

    def Gather(self, sent: Buffer, received: Buffer, root: int = 0) -> None:
        """The values of all ranks."""
        _copy(sent, received)

    def Gatherv(self, sent: Buffer, received: Buffer, root: int = 0) -> None:
        """The values of all ranks, of unequal lengths."""
        _copy(sent, received)

    def Allgather(self, sent: Buffer, received: Buffer) -> None:
        """The values of all ranks."""
        _copy(sent, received)

    def Allgatherv(self, sent: Buffer, received: Buffer) -> None:
        """The values of all ranks, of unequal lengths."""
        _copy(sent, received)

    def Reduce(self, sent: Buffer, received: Buffer, op: str = SUM, root: int = 0) -> None:
        """The least, greatest or sum over all ranks."""
        _copy(sent, received)

    def Allreduce(self, sent: Buffer, received: Buffer, op: str = SUM) -> None:
        """The least, greatest or sum over all ranks."""
        _copy(sent, received)

    def Iallreduce(self, sent: Buffer, received: Buffer, op: str = SUM) -> Request:
        """The least, greatest or sum over all ranks."""
        _copy(sent, received)
        return Request()


COMM_WORLD = COMM_SELF = Intracomm()


def Query_thread() -> int:
    """How many threads may send messages: all, as there are none."""
    return THREAD_MULTIPLE


def Get_library_version() -> str:
    """What stands in the place of a library's name and version."""
    return "no MPI (one rank)"


def _copy(sent: Buffer, received: Buffer) -> None:
    """Bytes of one buffer into another, where anything is to be copied."""
    if sent is IN_PLACE or received is None:
        return
    source, target = (memoryview(_first(buffer)) for buffer in (sent, received))
    if source.nbytes:  # a view of nothing cannot be cast
        target.cast("B")[: source.nbytes] = source.cast("B")


def _first(buffer: Buffer) -> Any:
    return buffer[0] if isinstance(buffer, Sequence) and not isinstance(buffer, bytes | bytearray) else buffer
