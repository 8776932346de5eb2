"""Devices by what they say: members of a conversation whose far ends answer as a test wants."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

from workloads.galaxy.profile import DeviceProfile, LinkProfile
from workloads.galaxy.service.conversation import Conversation
from workloads.galaxy.service.line import Line
from workloads.galaxy.service.roster import Member, Roster
from workloads.transport.frames import Frame, FrameReader, Header, Limits, send_frame

KNOWN = LinkProfile(delay_ns=1e6, rate=1e8)
"""What is believed of all links at first."""
_PATIENCE_S = 30.0
_KINDS = {"expect": "expecting", "probe": "probed", "ping": "pong", "plan": "ready"}
Answer = Callable[[int, Header], Header | None]
"""What a device says to a frame; None: nothing."""


class Talk:
    """Members, and what is said between them and the coordinator."""

    def __init__(self, profiles: Sequence[DeviceProfile], answer: Answer) -> None:
        events: SimpleQueue[object] = SimpleQueue()
        self.told: list[str] = []
        self.conversation = Conversation(roster=Roster(), events=events, tell=self.told.append)
        self._answer = answer
        self._ends: list[socket.socket] = []
        roster = self.conversation.roster
        for number, profile in enumerate(profiles):
            ours, theirs = socket.socketpair()
            self._ends.append(theirs)
            others = [other for other in range(len(profiles)) if other != number]
            roster.links |= {(number, other): KNOWN for other in others}
            line = Line(number, ours, events)
            roster.add(
                Member(number=number, name=f"d{number}", line=line, addresses=(), port=0, profile=profile)
            )
            threading.Thread(target=self._speak, args=(number, theirs), daemon=True).start()

    def leave(self, number: int) -> None:
        """A device goes away; the coordinator, which listens meanwhile, has noticed when this returns."""
        self._ends[number].shutdown(socket.SHUT_RDWR)
        deadline_s = time.monotonic() + _PATIENCE_S
        while number in self.conversation.roster.members:
            assert time.monotonic() < deadline_s, "nobody noticed"
            time.sleep(0.001)

    def remove(self, number: int) -> None:
        """A device is gone, and nobody has to notice."""
        member = self.conversation.roster.remove(number)
        assert member is not None
        member.line.close()

    def close(self) -> None:
        """Nothing is left."""
        for member in self.conversation.roster.members.values():
            member.line.close()
        for end in self._ends:
            end.close()

    def _speak(self, number: int, end: socket.socket) -> None:
        reader = FrameReader(end, Limits())
        try:
            while (frame := reader.read()) is not None:
                said = self._answer(number, frame.header)
                if said is not None:
                    send_frame(end, Frame(header=said))
        except OSError:
            return


@contextmanager
def talk_with(profiles: Sequence[DeviceProfile], answer: Answer) -> Iterator[Talk]:
    """A talk that ends."""
    talk = Talk(profiles, answer)
    try:
        yield talk
    finally:
        talk.close()


def answered(header: Header, link: LinkProfile = KNOWN) -> Header | None:
    """What a healthy device says; links are found to be like this one."""
    if header["kind"] not in _KINDS:
        return None
    marks = {name: header[name] for name in ("epoch", "key") if name in header}
    found = {"delay_ns": link.delay_ns, "rate": link.rate, "message_ns": link.message_ns}
    return {"kind": _KINDS[header["kind"]], **marks, "link": found}
