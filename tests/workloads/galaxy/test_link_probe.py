"""Links are probed over real connections; clocks that are handed in make their times exact."""

import socket
import threading
from collections.abc import Iterator

import pytest

from workloads.galaxy.link_probe import answer_probe, end_probe, probe_link, reached_rate
from workloads.transport.link_error import LinkError

MESSAGE_NS, DELAY_NS = 100_000, 500_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.settimeout(30)
    right.settimeout(30)
    with left, right:
        yield left, right


class SlowLink:
    """A clock that stands but for what a link would take: 1 ms for every word, and 8 ns for every byte."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._now_ns = 0
        self.num_heard = 0

    def __call__(self) -> int:
        return self._now_ns

    def sendall(self, data: bytes) -> None:
        self._now_ns += 8 * len(data)
        self._connection.sendall(data)

    def recv_into(self, *arguments: object) -> int:
        self._now_ns += 1_000_000
        self.num_heard += 1
        return self._connection.recv_into(*arguments)  # type: ignore[arg-type]


class BusyLink(SlowLink):
    """Every message takes as long, whatever its bytes; the word that comes back is one, with both delays."""

    def sendall(self, data: bytes) -> None:
        self._now_ns += MESSAGE_NS
        self._connection.sendall(data)

    def recv_into(self, *arguments: object) -> int:
        self._now_ns += 2 * DELAY_NS + MESSAGE_NS
        return self._connection.recv_into(*arguments)  # type: ignore[arg-type]


def test_the_time_of_a_message_is_none_of_the_delay(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    answering = threading.Thread(target=answer_probe, args=(far,))
    answering.start()
    link = BusyLink(near)
    found = probe_link(link, link)  # type: ignore[arg-type]
    answering.join(30)
    assert (found.delay_ns, found.message_ns) == (DELAY_NS, MESSAGE_NS)


def test_delay_and_rate_are_those_of_the_link(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    answering = threading.Thread(target=answer_probe, args=(far,))
    answering.start()
    link = SlowLink(near)
    found = probe_link(link, link)  # type: ignore[arg-type]
    answering.join(30)
    assert not answering.is_alive()
    assert found.rate == pytest.approx(1e9 / 8, rel=0.01)
    assert found.delay_ns == pytest.approx(500_000, rel=0.01)
    assert found.message_ns == pytest.approx(8 * 73, rel=0.05)


@pytest.mark.parametrize(("promised", "num_trials"), [(0.5e9 / 8, 1), (1.02e9 / 8, 3), (8e9 / 8, 1)])
def test_a_promise_is_tried_until_it_is_kept_or_nothing_could_keep_it(
    ends: tuple[socket.socket, socket.socket], promised: float, num_trials: int
) -> None:
    near, far = ends
    answering = threading.Thread(target=answer_probe, args=(far,))
    answering.start()
    link = SlowLink(near)
    found = reached_rate(link, link, promised)  # type: ignore[arg-type]
    end_probe(near)
    answering.join(30)
    assert not answering.is_alive()
    assert found == pytest.approx(1e9 / 8, rel=0.01)
    assert link.num_heard == 2 * num_trials


def test_an_end_that_closes_is_named(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.close()
    with pytest.raises((LinkError, OSError)):
        probe_link(near, lambda: 0)


def test_what_is_no_probe_is_not_answered(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(LinkError, match="a probe of a link began with"):
        answer_probe(far)
