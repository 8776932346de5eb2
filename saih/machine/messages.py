"""Plain messages between ranks: JSON text in byte buffers, so that nothing received is ever executed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saih.machine.mpi import MPI

Message = Mapping[str, Any]  # Any: a JSON value


def gather(comm: MPI.Intracomm, message: Message) -> tuple[Message, ...] | None:
    """The message of every rank, by rank, on rank 0; None elsewhere, where nothing is kept."""
    own = encode(message)
    lengths = np.zeros(comm.size if comm.rank == 0 else 0, dtype=np.int64)
    comm.Gather(np.array([len(own)], dtype=np.int64), lengths if comm.rank == 0 else None, root=0)
    if comm.rank != 0:
        comm.Gatherv([own, MPI.BYTE], None, root=0)
        return None
    everything = bytearray(int(lengths.sum()))
    comm.Gatherv([own, MPI.BYTE], [everything, lengths.tolist(), MPI.BYTE], root=0)
    return _split(everything, lengths.tolist())


def gather_all(comm: MPI.Intracomm, message: Message) -> tuple[Message, ...]:
    """The message of every rank, by rank, on every rank: only for what every rank needs from all."""
    own = encode(message)
    lengths = np.zeros(comm.size, dtype=np.int64)
    comm.Allgather(np.array([len(own)], dtype=np.int64), lengths)
    everything = bytearray(int(lengths.sum()))
    comm.Allgatherv(own, [everything, lengths.tolist(), MPI.BYTE])
    return _split(everything, lengths.tolist())


def first(comm: MPI.Intracomm, message: Message | None) -> Message | None:
    """The message of the lowest rank that has one, on every rank; None where no rank has any."""
    speaker = int(least(comm, comm.rank if message is not None else comm.size))
    return None if speaker == comm.size else broadcast(comm, message, root=speaker)


def broadcast(comm: MPI.Intracomm, message: Message | None, root: int = 0) -> Message:
    """The message of one rank, on every rank; what the others give does not count."""
    own = b"" if message is None else encode(message)
    length = np.array([len(own)], dtype=np.int64)
    comm.Bcast(length, root=root)
    buffer = bytearray(own) if comm.rank == root else bytearray(int(length[0]))
    comm.Bcast([buffer, MPI.BYTE], root=root)
    return decode(bytes(buffer))


def greatest(comm: MPI.Intracomm, number: float) -> float:
    """The greatest of all ranks' numbers, on every rank."""
    found = np.array([number], dtype=np.float64)
    comm.Allreduce(MPI.IN_PLACE, found, MPI.MAX)
    return float(found[0])


def least(comm: MPI.Intracomm, number: float) -> float:
    """The least of all ranks' numbers, on every rank."""
    return -greatest(comm, -number)


def encode(message: Message) -> bytes:
    """The message as UTF-8 JSON."""
    return json.dumps(message, allow_nan=False).encode()


def decode(data: bytes) -> Message:
    """The message in UTF-8 JSON, NUL padding ignored."""
    message: Message = json.loads(data.rstrip(b"\0"))
    return message


def _split(data: bytearray, lengths: Sequence[int]) -> tuple[Message, ...]:
    ends = np.cumsum(lengths)
    view = memoryview(data)
    return tuple(
        decode(bytes(view[end - length : end])) for end, length in zip(ends.tolist(), lengths, strict=True)
    )
