"""The end of a link that takes: what it has no memory for, and what it cannot understand."""

import socket
import threading
from collections.abc import Iterator, Sequence

import pytest
import torch

from tests.workloads.energon.little_memory import little_memory
from workloads.energon.inlet import Inlet
from workloads.energon.neighbour import Neighbour
from workloads.energon.stage_message import HEADER_BYTES, Message, encoded, header_of
from workloads.transport.host_bytes import bytes_of
from workloads.transport.link_error import LinkError

WIDE = torch.zeros(1 << 14, 1 << 12)
"""256 MiB."""


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def inlet(connection: socket.socket, *, is_blocking: bool) -> Inlet:
    neighbour = Neighbour(rank=3, connection=connection, bodies=None, device=torch.device("cpu"))
    return Inlet(neighbour, is_blocking=is_blocking)


def send(connection: socket.socket, rows: Sequence[torch.Tensor]) -> None:
    for key, each in enumerate(rows):
        connection.sendall(encoded(header_of(Message(key=key, rows=each))))
        connection.sendall(bytes_of(each))


@pytest.mark.parametrize("is_blocking", [True, False])
def test_rows_without_room_are_lost_alone_and_those_behind_them_arrive(
    ends: tuple[socket.socket, socket.socket], *, is_blocking: bool
) -> None:
    taking = inlet(ends[1], is_blocking=is_blocking)
    sending = threading.Thread(target=send, args=(ends[0], [torch.ones(2, 3), WIDE, torch.ones(1, 5)]))
    with little_memory(1 << 26):
        sending.start()
        before, lost, behind = taking.take(), taking.take(), taking.take()
    sending.join()
    assert (lost.key, lost.rows, lost.failure) == (1, None, "")
    assert lost.lost.startswith("rows of rank 3 cannot be taken in: ")
    assert "can't allocate memory" in lost.lost
    for message, shape in ((before, (2, 3)), (behind, (1, 5))):
        assert message.lost == ""
        assert message.rows is not None
        assert torch.equal(message.rows, torch.ones(shape))
    assert ends[0].recv(16) == b"\1\1\1"
    taking.close()


@pytest.mark.parametrize("is_blocking", [True, False])
def test_what_is_no_message_ends_the_link_by_the_name_of_who_sent_it(
    ends: tuple[socket.socket, socket.socket], *, is_blocking: bool
) -> None:
    taking = inlet(ends[1], is_blocking=is_blocking)
    ends[0].sendall(b"\xff" * HEADER_BYTES)
    with pytest.raises(LinkError, match="messages of rank 3 are out of step"):
        taking.take()
    taking.close()
