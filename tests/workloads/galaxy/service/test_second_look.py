"""Which devices are looked at again, and when."""

from dataclasses import replace
from math import inf
from time import monotonic

import pytest

from tests.workloads.galaxy.plan_samples import device
from tests.workloads.galaxy.service.spoken_devices import KNOWN, answered, talk_with
from workloads.galaxy.documents import as_document
from workloads.galaxy.profile import LinkProfile
from workloads.galaxy.service.conversation import Conversation
from workloads.galaxy.service.line import Heard
from workloads.galaxy.service.second_look import SecondLook
from workloads.galaxy.service.welcome import Welcome
from workloads.transport.frames import Header

OLD = replace(device(4.0, memory_bytes=1000), tile_ns=7e4)
NEW = replace(device(7.0, memory_bytes=3000), tile_ns=100.0)
FOUND = LinkProfile(delay_ns=2e6, rate=3e7)


def answer(_: int, header: Header) -> Header | None:
    """A device that measures itself finds that it is another."""
    if header["kind"] == "profile":
        return {"kind": "profiled", "profile": as_document(NEW)}
    return answered(header, FOUND)


def said_by_itself(conversation: Conversation) -> Heard:
    heard = conversation.next(monotonic() + 30.0)
    assert isinstance(heard, Heard)
    return heard


def test_devices_that_rest_have_their_turns_and_their_links_are_measured_one_by_one() -> None:
    with talk_with([OLD] * 4, answer) as talk:
        conversation, roster = talk.conversation, talk.conversation.roster
        look = SecondLook(conversation=conversation, welcome=Welcome(), every_s=1000.0)
        assert look.due_s > monotonic()
        for number in (1, 3, 1):
            assert not look.go_on({1, 3})
            heard = said_by_itself(conversation)
            assert heard.device == number
            look.heard(heard, {1, 3})
            for left in range(5, -1, -1):
                assert look.due_s <= monotonic() + 1.0
                assert look.go_on({1, 3}) == (not left)
            assert look.due_s > monotonic() + 900.0
        assert roster.members[1].profile.product_rates == NEW.product_rates
        assert roster.members[1].profile.memory_bytes == OLD.memory_bytes
        assert roster.members[1].profile.tile_ns == pytest.approx(4e4)  # seen with requests; now it is faster
        assert roster.members[0].profile == OLD
        known = {pair for pair, link in roster.links.items() if link == KNOWN}
        assert known == {(0, 2), (2, 0)}


def test_a_device_that_has_work_again_is_left_as_it_is_known() -> None:
    with talk_with([OLD] * 2, answer) as talk:
        look = SecondLook(conversation=talk.conversation, welcome=Welcome(), every_s=inf)
        look.go_on({1})
        look.heard(said_by_itself(talk.conversation), set())
        assert talk.conversation.roster.members[1].profile == OLD
        assert look.due_s == inf


@pytest.mark.parametrize("resting", [set(), {0}])
def test_nothing_is_due_of_a_device_that_is_gone(resting: set[int]) -> None:
    with talk_with([OLD] * 2, answer) as talk:
        look = SecondLook(conversation=talk.conversation, welcome=Welcome(), every_s=1000.0)
        look.go_on({0})
        heard = said_by_itself(talk.conversation)
        look.heard(heard, {0})
        talk.remove(0)
        assert [look.go_on(resting) for _ in range(2)] == [False, True]
