"""Bytes of tensors on the host, and how sockets fill them."""

import socket

import torch
from torch import Tensor

from workloads.transport.link_error import LinkError

_PIECE_BYTES = 1 << 16


def bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor on the host, in place."""
    return tensor.view(-1).view(torch.uint8).numpy().data


def fill(room: memoryview, connection: socket.socket) -> None:
    """Receive as many bytes as there is room for.

    Raises:
        LinkError: when the other end has closed.
        OSError: when it is gone.
    """
    while room.nbytes:
        num_bytes = connection.recv_into(room, 0, socket.MSG_WAITALL)
        if not num_bytes:
            raise LinkError("it has closed")
        room = room[num_bytes:]


def drop(num_bytes: int, connection: socket.socket) -> None:
    """Receive so many bytes, and forget them.

    Raises:
        LinkError: when the other end has closed.
        OSError: when it is gone.
    """
    room = memoryview(bytearray(_PIECE_BYTES))
    while num_bytes > 0:
        piece = room[:num_bytes]
        fill(piece, connection)
        num_bytes -= piece.nbytes
