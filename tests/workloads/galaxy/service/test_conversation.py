"""Who answers, who fails, who is gone: what the coordinator makes of what is said."""

import socket
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from tests.workloads.galaxy.service.spoken_devices import talk_with
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.service.conversation import (
    Conversation,
    CutOffError,
    MemberFailedError,
    MemberLostError,
)
from workloads.galaxy.service.line import Heard, Line, Lost
from workloads.galaxy.service.roster import Member, Roster
from workloads.transport.frames import Frame, Header

PROFILE = DeviceProfile(
    name="d",
    product_rows=(1,),
    product_rates=(1e9,),
    attention_rate=1e9,
    memory_rate=1e9,
    call_ns=0.0,
    memory_bytes=1,
)


class Callers(SimpleQueue[object]):
    """Callers who never stop asking."""

    def get(self, block: bool = True, timeout: float | None = None) -> object:  # noqa: FBT001, FBT002
        del block, timeout
        return "a request"


@pytest.fixture(name="conversation")
def talk_with_two() -> Iterator[Conversation]:
    events: SimpleQueue[object] = SimpleQueue()
    conversation = Conversation(roster=Roster(), events=events, tell=print)
    ends = []
    for number in (0, 1):
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        line = Line(number, ours, events)
        conversation.roster.add(
            Member(number=number, name=f"d{number}", line=line, addresses=(), port=0, profile=PROFILE)
        )
    yield conversation
    for member in conversation.roster.members.values():
        member.line.close()
    for end in ends:
        end.close()


def says(device: int, kind: str, key: int = 1) -> Heard:
    return Heard(device, Frame(header={"kind": kind, "key": key, "why": "no memory"}))


def test_answers_of_older_matters_are_passed_over(conversation: Conversation) -> None:
    for heard in (says(0, "done", key=0), says(1, "done"), says(0, "done")):
        conversation.events.put(heard)
    found = conversation.gathered("done", {0, 1}, {"key": 1})
    assert {device: frame.header["key"] for device, frame in found.items()} == {0: 1, 1: 1}


def test_a_device_that_failed_is_named_though_another_was_cut_off_first(conversation: Conversation) -> None:
    conversation.events.put(says(1, "broken"))
    conversation.events.put(says(0, "failed"))
    with pytest.raises(MemberFailedError, match="device d0 failed: no memory"):
        conversation.gathered("done", {0, 1}, {"key": 1})


def test_what_one_that_is_gone_cut_off_is_asked_of_the_others(conversation: Conversation) -> None:
    conversation.events.put(says(1, "broken"))
    conversation.events.put(Lost(0, "it closed its connection"))
    with pytest.raises(MemberLostError):
        conversation.gathered("done", {0, 1}, {"key": 1})
    assert conversation.roster.numbers == (1,)


def test_requests_wait_while_devices_are_listened_to(conversation: Conversation) -> None:
    for event in ("a request", says(0, "done"), "another"):
        conversation.events.put(event)
    conversation.gathered("done", {0}, {"key": 1})
    assert [conversation.next(), conversation.next()] == ["a request", "another"]


def test_silent_devices_are_struck_however_much_is_asked(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.galaxy.service.conversation.ANSWERS_S", 0.01)
    asked = Conversation(roster=conversation.roster, events=Callers(), tell=print)
    with pytest.raises(MemberLostError):
        asked.gathered("done", {0, 1}, {"key": 1})
    assert asked.roster.numbers == ()


def test_who_waits_for_one_that_is_cut_off_is_told_to_break_off() -> None:
    def answer(number: int, header: Header) -> Header | None:
        does_break = header["kind"] == ("abort" if number == 0 else "plan")
        return {"kind": "broken", "epoch": 7, "why": "nobody called"} if does_break else None

    with talk_with([PROFILE, PROFILE], answer) as talk:
        talk.conversation.send((0, 1), Frame(header={"kind": "plan"}))
        with pytest.raises(CutOffError, match="nobody called") as raised:
            talk.conversation.gathered("ready", {0, 1}, {"epoch": 7})
        assert raised.value.devices == {0, 1}
