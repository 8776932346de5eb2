"""Whoever connects to a rank without knowing its token is sent away, and the right one is still let in."""

import socket
import threading

import pytest

from workloads.energon.link_meeting import _accepted, _reached, _Secret
from workloads.energon.rank_errors import LinkError

SECRET = _Secret(asked="a" * 32, answered="b" * 32)


@pytest.mark.parametrize(
    "words", [b"", b"GET / HTTP/1.1\r\n\r\n" * 9, b"c" * 32 + b"00000002", b"a" * 32 + b"00000009", b"a" * 40]
)
def test_strangers_are_sent_away(words: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stranger = socket.create_connection(listener.getsockname())
        stranger.sendall(words)
        stranger.shutdown(socket.SHUT_WR)
        assert _accepted(listener, SECRET, [2, 3]) == {}
        stranger.close()

        record = {"addresses": ["127.0.0.1"], "port": listener.getsockname()[1], "asked": SECRET.asked}
        ends: list[socket.socket] = []
        caller = threading.Thread(
            target=lambda: ends.append(_reached({**record, "answered": SECRET.answered}, 7, own_rank=2))
        )
        caller.start()
        ((rank, end),) = _accepted(listener, SECRET, [2, 3]).items()
        caller.join()
        assert rank == 2
        end.sendall(b"welcome")
        assert ends[0].recv(7) == b"welcome"
        for each in (end, ends[0]):
            each.close()


def test_a_port_of_somebody_else_is_not_taken_for_the_right_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            caller, _ = other.accept()
            with caller:
                caller.recv(64)
                caller.sendall(b"x" * 32)

        thread = threading.Thread(target=answer)
        thread.start()
        record = {"addresses": ["127.0.0.1"], "port": other.getsockname()[1], "asked": "a", "answered": "b"}
        with pytest.raises(LinkError, match="rank 7 was not reached"):
            _reached(record, 7, own_rank=2)
        thread.join()
