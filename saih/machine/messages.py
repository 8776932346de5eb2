"""Plain messages between ranks: JSON text in byte buffers, so that nothing received is ever executed."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mpi4py import MPI

Message = Mapping[str, Any]  # Any: a JSON value


def gather_all(comm: MPI.Intracomm, message: Message) -> tuple[Message, ...]:
    """The message of every rank, by rank, on every rank."""
    own = encode(message)
    lengths = np.zeros(comm.size, dtype=np.int64)
    comm.Allgather(np.array([len(own)], dtype=np.int64), lengths)
    everything = bytearray(int(lengths.sum()))
    comm.Allgatherv(own, [everything, lengths.tolist(), MPI.BYTE])
    return _split(bytes(everything), lengths.tolist())


def broadcast(comm: MPI.Intracomm, message: Message | None) -> Message:
    """The message of rank 0, on every rank; the others give None."""
    own = b"" if message is None else encode(message)
    length = np.array([len(own)], dtype=np.int64)
    comm.Bcast(length, root=0)
    buffer = bytearray(own) if comm.rank == 0 else bytearray(int(length[0]))
    comm.Bcast([buffer, MPI.BYTE], root=0)
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


def _split(data: bytes, lengths: Sequence[int]) -> tuple[Message, ...]:
    ends = np.cumsum(lengths)
    return tuple(decode(data[end - length : end]) for end, length in zip(ends.tolist(), lengths, strict=True))
