"""What the coordinator and its devices say to each other, in order: who is asked, who answers, who is gone.

Devices, newcomers and callers put what they say into one queue, which one thread reads. What does not concern
the matter in hand waits for its turn.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from workloads.galaxy.service.errors import ServiceError
from workloads.galaxy.service.line import Heard, Lost
from workloads.galaxy.service.roster import Roster
from workloads.transport.frames import Frame, Header

ANSWERS_S = 5.0
"""A device that does not answer a call for so long is taken for lost."""


class MemberLostError(Exception):
    """A device went away while it was needed: what was asked can be asked of the others."""


class CutOffError(MemberLostError):
    """Some of these devices have lost each other, though all of them are there."""

    def __init__(self, why: str, devices: Set[int]) -> None:
        super().__init__(why)
        self.devices = frozenset(devices)


class MemberFailedError(ServiceError):
    """A device could not do what it was told, and lives on."""


@dataclass(slots=True, kw_only=True)
class Conversation:
    """One thread's talk with all devices."""

    roster: Roster
    events: "SimpleQueue[object]"
    tell: Callable[[str], None]
    """Hears what a person would want to know."""
    _waiting: "deque[object]" = field(default_factory=deque)
    """What callers and newcomers said meanwhile, and what devices found out for themselves."""
    _called: set[int] = field(default_factory=set)
    """Devices that were called and have said nothing since."""
    _call_at_s: float = field(default_factory=lambda: monotonic() + ANSWERS_S)
    """When they are called next, whatever is said until then."""

    def next(self, until_s: float = inf) -> object | None:
        """What a caller or a newcomer wants, or what a device found out for itself; waits for it.

        None once it is ``until_s``, as ``monotonic`` tells it, whoever wants what.
        """
        while monotonic() < until_s:
            if self._waiting:
                return self._waiting.popleft()
            self._hear(until_s)
        return None

    def send(self, numbers: Iterable[int], frame: Frame) -> None:
        """Send a frame to members; those that are gone are passed over."""
        for number in numbers:
            if number in self.roster.members:
                self.roster.members[number].line.send(frame)

    def gathered(self, kind: str, numbers: Set[int], marks: Mapping[str, Any]) -> dict[int, Frame]:
        """One frame of this kind from each of these members; frames without these marks are of older matters.

        Raises:
            MemberLostError: when one of them is gone.
            CutOffError: when one of them was cut off from another.
            MemberFailedError: when one of them says that it failed.
        """
        found: dict[int, Frame] = {}
        broken: dict[int, str] = {}
        while missing := numbers - found.keys() - broken.keys():
            gone = missing - self.roster.members.keys()
            if gone:
                raise MemberLostError(f"devices {sorted(gone)} are gone")
            heard = self._hear()
            if heard is None or not _has(heard.frame.header, marks):
                continue
            header = heard.frame.header
            if header["kind"] == kind:
                found[heard.device] = heard.frame
            elif header["kind"] == "broken":
                broken[heard.device] = f"{self._name(heard.device)} was cut off: {header.get('why')}"
                self._break_off(missing, marks)
            elif header["kind"] == "failed":
                raise MemberFailedError(f"{self._name(heard.device)} failed: {header.get('why')}")
        if broken:  # said last: a device that failed cuts off the others, and only it knows why
            raise CutOffError("; ".join(broken.values()), numbers)
        return found

    def _break_off(self, numbers: Iterable[int], marks: Mapping[str, Any]) -> None:
        """Some may wait for another that cannot come, which the coordinator knows before they do."""
        if "epoch" in marks:
            self.send(numbers, Frame(header={"kind": "abort", "epoch": marks["epoch"]}))

    def _hear(self, until_s: float = inf) -> Heard | None:
        """What a device says; None when something else happened."""
        now_s = monotonic()
        if (
            self._call_at_s <= now_s
        ):  # whatever waits in the queue: callers alone must not keep it from being due
            self._call()
            return None
        try:
            event = self.events.get(timeout=max(0.0, min(self._call_at_s, until_s) - now_s))
        except Empty:
            return None
        if isinstance(event, Lost):
            self._strike(event)
        elif not isinstance(event, Heard):
            self._waiting.append(event)
        elif event.device in self.roster.members:
            return self._sorted(event)
        return None

    def _sorted(self, heard: Heard) -> Heard | None:
        """What somebody waits for; what a device found out for itself waits as requests do."""
        self._called.discard(heard.device)
        if heard.frame.header["kind"] != "profiled":
            return heard
        self._waiting.append(heard)
        return None

    def _call(self) -> None:
        """Ask all whether they are there; those that did not answer the last call are taken for lost."""
        members = self.roster.members
        silent = [
            number for number in self._called & members.keys() if members[number].line.silent_s > ANSWERS_S
        ]
        for number in silent:
            self._strike(Lost(number, f"it did not answer for {ANSWERS_S:g} s"))
        self._called, self._call_at_s = set(self.roster.members), monotonic() + ANSWERS_S
        self.send(self._called, Frame(header={"kind": "ping"}))

    def _strike(self, lost: Lost) -> None:
        name = self._name(lost.device)
        member = self.roster.remove(lost.device)
        self._called.discard(lost.device)
        if member is not None:
            member.line.close()
            self.tell(f"{name} is lost: {lost.why}")

    def _name(self, number: int) -> str:
        member = self.roster.members.get(number)
        return f"device {number}" if member is None else f"device {member.name}"


def _has(header: Header, marks: Mapping[str, Any]) -> bool:
    return all(header.get(key) == mark for key, mark in marks.items())
