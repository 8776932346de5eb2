"""Devices that a plan leaves out are measured again from time to time: no request shows how they are.

One at a time. It measures itself while the others answer requests; then its links with all others are
measured one by one, between requests, so that none waits for more than one of them.
"""

from collections import deque
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from workloads.galaxy.documents import device_profile_of
from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.service.conversation import Conversation, MemberLostError
from workloads.galaxy.service.line import Heard
from workloads.galaxy.service.welcome import Welcome
from workloads.transport.frames import Frame

_PAUSE_S = 0.5
"""Between two links: for requests."""
_REACH_S = 1.0
"""For a connection to each address: those of a pair that is still cut must not keep requests waiting."""


@dataclass(slots=True, kw_only=True)
class SecondLook:
    """What is due, and when."""

    conversation: Conversation
    welcome: Welcome
    every_s: float
    due_s: float = field(init=False)
    """When ``go_on`` is to be called, as ``monotonic`` tells it."""
    _last: int = -1
    """The device that was looked at last."""
    _links: "deque[tuple[int, int]]" = field(default_factory=deque)
    """Those of it that are not measured yet."""

    def __post_init__(self) -> None:
        self.due_s = monotonic() + self.every_s

    def go_on(self, resting: Set[int]) -> bool:
        """Do a part of it; gives whether there may be a better plan now."""
        if not self._links:
            self.due_s = monotonic() + self.every_s
            self._begin(resting)
            return False
        sender, receiver = self._links.popleft()
        self.due_s = monotonic() + (_PAUSE_S if self._links else self.every_s)
        with suppress(MemberLostError):
            self.welcome.measure_link(sender, receiver, self.conversation, reach_s=_REACH_S)
        return not self._links

    def heard(self, said: Heard, resting: Set[int]) -> None:
        """A device has measured itself; one that has work again by now is known by that."""
        roster, number = self.conversation.roster, said.device
        if number not in resting:
            return
        member, found = roster.members[number], device_profile_of(said.frame.header["profile"])
        roster.members[number] = replace(member, profile=_renewed(member.profile, found))
        others = [other for other in roster.numbers if other != number]
        self._links = deque(link for other in others for link in ((number, other), (other, number)))
        self.due_s = monotonic()

    def _begin(self, resting: Set[int]) -> None:
        """Have the one behind the last measure itself."""
        behind = sorted(resting, key=lambda number: (number <= self._last, number))
        if behind:
            self._last = behind[0]
            self.conversation.send([self._last], Frame(header={"kind": "profile"}))


def _renewed(believed: DeviceProfile, found: DeviceProfile) -> DeviceProfile:
    """What a device found, but for what it cannot find by itself.

    What it may hold is what it told when it came: by now it holds weights. What tiles cost is known from
    requests; it changes as work does.
    """
    slower = believed.product_rates[-1] / found.product_rates[-1]
    return replace(found, memory_bytes=believed.memory_bytes, tile_ns=believed.tile_ns * slower)
