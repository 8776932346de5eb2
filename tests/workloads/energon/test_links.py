"""One end of a link each, the other played by hand: what its meter is told, and when."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import torch

from workloads.energon.inlet import Inlet
from workloads.energon.meter import Activity
from workloads.energon.neighbour import Neighbour
from workloads.energon.outlet import Outlet
from workloads.energon.stage_message import (
    ARRIVED,
    CREDIT,
    Message,
    encoded,
    header_of,
)
from workloads.transport.host_bytes import bytes_of

PATIENCE_S = 60.0
ROWS = Message(key=3, rows=torch.arange(6.0).reshape(2, 3))
FAILED = Message(key=4, rows=None, failure="nothing left")


@dataclass(frozen=True, slots=True)
class Told:
    """What a meter was told; others may wait until it was told so much."""

    activities: list[Activity] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, activity: Activity) -> None:
        with self.changed:
            self.activities.append(activity)
            self.changed.notify_all()

    def wait_for(self, *activities: Activity) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.activities) >= len(activities), PATIENCE_S)
            assert tuple(self.activities) == activities


@pytest.fixture
def ends() -> Iterator[tuple[Neighbour, socket.socket]]:
    """A rank's neighbour, and the socket of that neighbour."""
    own, other = socket.socketpair()
    other.settimeout(PATIENCE_S)
    with own, other:
        yield Neighbour(rank=1, connection=own, bodies=None, device=torch.device("cpu")), other


def beside(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> None:
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("is_blocking", [False, True])
def test_a_wait_ends_with_the_header_and_what_follows_is_communication(
    ends: tuple[Neighbour, socket.socket], *, is_blocking: bool
) -> None:
    neighbour, other = ends
    told, taken = Told(), []
    inlet = Inlet(neighbour, is_blocking=is_blocking, meter=told)
    taking = beside(lambda: taken.append(inlet.take()))
    other.sendall(encoded(header_of(ROWS)))
    told.wait_for("wait")
    assert ROWS.rows is not None
    other.sendall(bytes_of(ROWS.rows))
    told.wait_for("wait", "communication")
    ended(taking)
    assert torch.equal(taken[0].rows, ROWS.rows)
    assert other.recv(1) + other.recv(1) == ARRIVED + CREDIT
    inlet.close()


def test_a_failure_arrives_without_a_body(ends: tuple[Neighbour, socket.socket]) -> None:
    neighbour, other = ends
    told = Told()
    inlet = Inlet(neighbour, is_blocking=False, meter=told)
    other.sendall(encoded(header_of(FAILED)))
    assert inlet.take().failure == "nothing left"
    told.wait_for("wait", "communication")
    inlet.close()


def test_without_a_meter_nobody_is_told_of_arrivals(ends: tuple[Neighbour, socket.socket]) -> None:
    neighbour, other = ends
    inlet = Inlet(neighbour, is_blocking=False)
    for _ in range(2):
        other.sendall(encoded(header_of(FAILED)))
        inlet.take()
    assert other.recv(1) + other.recv(1) == CREDIT + CREDIT
    inlet.close()


def test_who_gives_waits_for_bytes_until_they_are_there_and_then_for_a_busy_stage(
    ends: tuple[Neighbour, socket.socket],
) -> None:
    neighbour, other = ends
    told = Told()
    outlet = Outlet(neighbour, 1, is_blocking=False, meter=told)
    outlet.give(ROWS)
    giving = beside(lambda: outlet.give(FAILED))
    told.wait_for("communication")
    other.sendall(ARRIVED)
    told.wait_for("communication", "communication")
    other.sendall(CREDIT)
    told.wait_for("communication", "communication", "wait", "communication")
    ended(giving)
    other.sendall(ARRIVED + CREDIT)
    outlet.close()
    told.wait_for("communication", "communication", "wait", "communication")


def test_messages_that_wait_for_their_start_do_not_hide_one_on_its_way(
    ends: tuple[Neighbour, socket.socket],
) -> None:
    neighbour, other = ends
    told = Told()
    outlet = Outlet(neighbour, 2, is_blocking=False, meter=told)
    outlet.give(ROWS)
    outlet.give(ROWS)
    other.sendall(ARRIVED + CREDIT)
    outlet.give(ROWS)  # hears of the first alone
    giving = beside(lambda: outlet.give(FAILED))
    other.sendall(ARRIVED)
    # Three messages, what was heard of the first, and the way of the second.
    told.wait_for(*["communication"] * 5)
    other.sendall(CREDIT)
    told.wait_for(*["communication"] * 5, "wait", "communication")
    ended(giving)
    other.sendall((ARRIVED + CREDIT) * 2)
    outlet.close()
