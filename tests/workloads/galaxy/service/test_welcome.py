"""Links that are measured while devices go away."""

import pytest

from tests.workloads.galaxy.plan_samples import device
from tests.workloads.galaxy.service.spoken_devices import Talk, answered, talk_with
from workloads.galaxy.service.conversation import MemberLostError
from workloads.galaxy.service.welcome import Welcome
from workloads.transport.frames import Header


def test_a_third_device_that_leaves_while_links_are_measured_is_a_lost_member() -> None:
    talks: list[Talk] = []

    def answer(number: int, header: Header) -> Header | None:
        if (number, header["kind"]) == (0, "probe"):  # the first link is that from 0 to 1
            talks[0].leave(2)
        return answered(header)

    with talk_with([device(4.0)] * 3, answer) as talk:
        talks.append(talk)
        with pytest.raises(MemberLostError):
            Welcome().measure_links((0, 1, 2), talk.conversation)
        assert talk.conversation.roster.numbers == (0, 1)
        assert set(talk.conversation.roster.links) == {(0, 1), (1, 0)}
