"""Messages between devices: what arrives, what is refused, who notices a loss, and no circle of waiting."""

import socket
import time

import pytest

from tests.workloads.galaxy.cluster_in_threads import connected, in_threads
from workloads.galaxy.engine.desk import Arrival, Expected, Room
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.message import HEADER_BYTES, Kind, MessageError
from workloads.galaxy.engine.ring import Ring
from workloads.transport.link_error import LinkError

LARGE = 1 << 22
NUM_LARGE = 6


def rooms_for(num_bytes: int, num: int, passed_to: int | None = None) -> tuple[dict, list[bytearray]]:
    """Room for gathered messages 0 to num."""
    memory = [bytearray(num_bytes) for _ in range(num)]
    return {
        (Kind.GATHERED, 0, index): Room(memoryview(each), passed_to) for index, each in enumerate(memory)
    }, memory


def test_large_messages_in_both_directions_wait_for_nobody() -> None:
    """All devices first send more than any buffer takes, and only then look at what came."""
    devices = (0, 1, 2)
    rings = connected(devices)
    body = memoryview(bytes(range(256)) * (LARGE // 256))

    def exchange(device: int) -> bool:
        ring = rings[device]
        rooms, memory = rooms_for(LARGE, NUM_LARGE)
        ring.begin(Expected(rooms=rooms, devices=devices))
        for index in range(NUM_LARGE):
            ring.send((device + 1) % 3, Kind.GATHERED, 0, index, body)
        found = {ring.wait() for _ in range(NUM_LARGE)}
        return found == {Arrival(Kind.GATHERED, 0, index) for index in range(NUM_LARGE)} and all(
            each == body for each in memory
        )

    assert in_threads([lambda device=device: exchange(device) for device in devices]) == [True] * 3
    assert [ring.sent_bytes for ring in rings.values()] == [NUM_LARGE * (LARGE + HEADER_BYTES)] * 3
    in_threads([ring.close for ring in rings.values()])


def test_a_message_is_passed_on_as_it_is() -> None:
    rings = connected((0, 1, 2))
    memory = {}
    for device, passed_to in ((0, None), (1, 2), (2, None)):
        rooms, memory[device] = rooms_for(5, 1, passed_to)
        rings[device].begin(Expected(rooms=rooms, devices=(0, 1, 2)))
    rings[0].send(1, Kind.GATHERED, 0, 0, memoryview(b"hello"))
    assert rings[1].wait() == rings[2].wait() == Arrival(Kind.GATHERED, 0, 0)
    assert bytes(memory[2][0]) == bytes(memory[1][0]) == b"hello"
    in_threads([ring.close for ring in rings.values()])


def test_a_message_waits_until_its_pass_begins() -> None:
    rings = connected((0, 1))
    rooms, memory = rooms_for(3, 1)
    rings[0].begin(Expected(devices=(0, 1)))
    rings[1].begin(Expected(devices=(0, 1)))
    rings[0].begin(Expected(devices=(0, 1)))
    rings[0].send(1, Kind.GATHERED, 0, 0, memoryview(b"abc"))
    assert rings[1].poll() is None
    rings[1].begin(Expected(rooms=rooms, devices=(0, 1)))
    assert rings[1].wait() == Arrival(Kind.GATHERED, 0, 0)
    assert bytes(memory[0]) == b"abc"
    in_threads([ring.close for ring in rings.values()])


@pytest.mark.parametrize(
    ("tag", "kind", "index", "num_bytes", "words"),
    [
        (8, Kind.GATHERED, 0, 3, "same plan"),
        (9, Kind.PARTIAL, 0, 3, "same plan"),
        (9, Kind.GATHERED, 1, 3, "same plan"),
        (9, Kind.GATHERED, 0, 4, "same model and precision"),
    ],
)
def test_a_message_that_is_not_expected_is_named(
    tag: int, kind: Kind, index: int, num_bytes: int, words: str
) -> None:
    rings = connected((0, 1))
    rooms, _ = rooms_for(3, 1)
    rings[0].begin(Expected(tag=tag, devices=(0, 1)))
    rings[1].begin(Expected(rooms=rooms, tag=9, devices=(0, 1)))
    rings[0].send(1, kind, 0, index, memoryview(bytes(num_bytes)))
    with pytest.raises(MessageError, match=f"device 0 sent .*{words}"):
        rings[1].wait()
    for ring in rings.values():
        ring.abort()


def test_who_breaks_off_is_noticed_by_all_others() -> None:
    rings = connected((0, 1, 2))
    for ring in rings.values():
        ring.begin(Expected(devices=(0, 1, 2)))
    rings[1].abort()
    for device in (0, 2):
        with pytest.raises(LinkError, match="device 1"):
            rings[device].wait()
        with pytest.raises(LinkError, match="device 1"):
            rings[device].begin(Expected(devices=(0, 1, 2)))
        rings[device].begin(Expected(devices=(0, 2)))
    rings[0].abort()
    rings[2].abort()


def test_who_parts_in_peace_lets_others_finish() -> None:
    rings = connected((0, 1))
    rooms, _ = rooms_for(3, 2)
    rings[0].begin(Expected(devices=(0, 1)))
    rings[1].begin(Expected(rooms=rooms, devices=(0, 1)))
    rings[0].send(1, Kind.GATHERED, 0, 0, memoryview(b"abc"))
    rings[0].close()
    assert rings[1].wait() == Arrival(Kind.GATHERED, 0, 0)
    assert rings[1].poll() is None
    with pytest.raises(LinkError, match="device 0"):
        rings[1].begin(Expected(devices=(0, 1)))
    rings[1].close()


def test_who_parts_before_its_last_pass_is_not_waited_for() -> None:
    rings = connected((0, 1))
    rings[1].begin(Expected(devices=(0, 1)))
    rings[0].close()
    with pytest.raises(LinkError, match="parted"):
        rings[1].wait()
    rings[1].abort()


def test_plans_count_passes_anew_for_devices_that_sat_out() -> None:
    rings = connected((0, 1))
    for _ in range(3):
        rings[0].begin(Expected(devices=(0,)))
    rooms, _ = rooms_for(3, 1)
    rings[0].begin(Expected(rooms=rooms, epoch=2, devices=(0, 1)))
    rings[1].begin(Expected(rooms=rooms, epoch=2, devices=(0, 1)))
    rings[1].send(0, Kind.GATHERED, 0, 0, memoryview(b"abc"))
    assert rings[0].wait() == Arrival(Kind.GATHERED, 0, 0)
    in_threads([ring.close for ring in rings.values()])


def test_a_device_without_a_connection_is_named() -> None:
    ring = Ring(4, {})
    ring.begin(Expected(devices=(4, 5)))
    with pytest.raises(LinkError, match="device 4 has no connection to device 5"):
        ring.send(5, Kind.GATHERED, 0, 0, memoryview(b""))
    ring.close()


def test_a_slow_link_keeps_what_it_was_given_in_order_and_in_time() -> None:
    """Never too early: how late depends on the machine."""
    rate, delay_ns, size, num = 1e6, 2e7, 1000, 20
    ours, theirs = socket.socketpair()
    sender, receiver = Ring(0, {1: ours}, {1: LinkPace(rate, delay_ns)}), Ring(1, {0: theirs})
    rooms, _ = rooms_for(size, num)
    receiver.begin(Expected(rooms=rooms, devices=(0, 1)))
    sender.begin(Expected(devices=(0, 1)))
    begun = time.monotonic()
    for index in range(num):
        sender.send(1, Kind.GATHERED, 0, index, memoryview(bytes(size)))
    assert [receiver.wait().which for _ in range(num)] == list(range(num))
    assert time.monotonic() - begun >= num * size / rate + delay_ns / 1e9
    in_threads([sender.close, receiver.close])


def test_who_parted_after_a_pass_is_not_missed_in_it_by_who_begins_later() -> None:
    rings = connected((0, 1))
    rooms, memory = rooms_for(3, 1)
    rings[0].begin(Expected(devices=(0, 1)))
    rings[0].send(1, Kind.GATHERED, 0, 0, memoryview(b"abc"))
    in_threads([rings[0].close, lambda: rings[1].begin(Expected(rooms=rooms, devices=(0, 1)))])
    assert rings[1].wait() == Arrival(Kind.GATHERED, 0, 0)
    assert bytes(memory[0]) == b"abc"
    with pytest.raises(LinkError, match="parted after pass 1"):
        rings[1].begin(Expected(devices=(0, 1)))
    rings[1].close()
