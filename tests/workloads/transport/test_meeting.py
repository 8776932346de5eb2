"""Whoever connects to a rank without knowing its secret is sent away, and the right one is still let in."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from workloads.transport.handshake import caller_of, introduce, link_key
from workloads.transport.link_error import LinkError
from workloads.transport.meeting import _accepted, _reached

SECRET, TOKEN = "known to the ranks alone", "b" * 32
KEY = link_key(SECRET, TOKEN)
RANK = 7


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    caller, called = socket.socketpair()
    for end in (caller, called):
        end.settimeout(60.0)
    with caller, called:
        yield caller, called


def record(listener: socket.socket) -> dict[str, object]:
    """What all who can listen to the process group know of a rank."""
    return {"addresses": ["127.0.0.1"], "port": listener.getsockname()[1], "token": TOKEN}


def let_in(listener: socket.socket) -> None:
    """The right caller is let in, and both ends talk."""
    with ThreadPoolExecutor(1) as other:
        called = other.submit(_reached, record(listener), RANK, 2, SECRET)
        ((rank, end),) = _accepted(listener, KEY, RANK, [2, 3]).items()
        caller = called.result()
    assert rank == 2
    end.sendall(b"welcome")
    assert caller.recv(7) == b"welcome"
    end.close()
    caller.close()


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\n\r\n" * 9, b"\2\0\0\0" + b"a" * 48], ids=len)
def test_strangers_are_sent_away(words: bytes, listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as stranger:
        stranger.sendall(words)
        stranger.shutdown(socket.SHUT_WR)
        assert _accepted(listener, KEY, RANK, [2, 3]) == {}
    let_in(listener)


@pytest.mark.parametrize(
    ("secret", "token", "rank", "called"),
    [("", TOKEN, 2, RANK), (SECRET, "c" * 32, 2, RANK), (SECRET, TOKEN, 9, RANK), (SECRET, TOKEN, 2, 6)],
    ids=["the token alone is not enough", "another meeting", "nobody expects it", "meant for another rank"],
)
def test_a_caller_that_cannot_prove_what_it_says_is_sent_away(
    secret: str, token: str, rank: int, called: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    caller, listening = pair
    with ThreadPoolExecutor(1) as other:
        introduced = other.submit(introduce, caller, link_key(secret, token), rank, called)
        assert caller_of(listening, KEY, RANK, [2, 3]) is None
        listening.close()
        with pytest.raises(ConnectionResetError):
            introduced.result()


def test_what_was_said_once_lets_nobody_in_again(pair: tuple[socket.socket, socket.socket]) -> None:
    caller, listening = pair
    said: list[bytes] = []

    class Overheard:
        """The caller's end, which somebody listens to."""

        recv = caller.recv

        def sendall(self, data: bytes) -> None:
            said.append(data)
            caller.sendall(data)

    with ThreadPoolExecutor(1) as other:
        introduced = other.submit(introduce, Overheard(), KEY, 2, RANK)  # type: ignore[arg-type]  # enough of one
        assert caller_of(listening, KEY, RANK, [2]) == 2
        assert introduced.result()
        repeated = other.submit(caller_of, listening, KEY, RANK, [2])
        caller.recv(16)
        caller.sendall(b"".join(said))
        assert repeated.result() is None


def test_a_port_of_somebody_else_is_not_taken_for_the_right_one(listener: socket.socket) -> None:
    def answer() -> None:
        caller, _ = listener.accept()
        with caller:
            caller.sendall(b"x" * 16)
            caller.recv(4096)
            caller.sendall(b"y" * 32)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(LinkError, match="rank 7 was not reached"):
        _reached(record(listener), RANK, 2, SECRET)
    thread.join()
