"""Lets devices in: their links with those that are there are measured before they take part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, permutations
from math import inf
from secrets import token_hex

from workloads.galaxy.documents import link_profile_of
from workloads.galaxy.profile import NS_PER_S, LinkProfile
from workloads.galaxy.service.admission import Newcomer
from workloads.galaxy.service.conversation import Conversation, CutOffError, MemberLostError
from workloads.galaxy.service.errors import DeviceError
from workloads.galaxy.service.line import Line
from workloads.galaxy.service.roster import Member
from workloads.transport.frames import Frame

_PROMISE_KEPT = 0.8
"""A link that reaches less of what was promised is not what the user thinks."""
_REACH_S = 5.0
_BITS = 8
_MBIT = 1e6


@dataclass(slots=True, kw_only=True)
class Welcome:
    """Gives newcomers a number, and measures links."""

    promised_rates: Mapping[str, float] = field(default_factory=dict)
    """Bytes/s that the links of a device shall reach, by its name; nothing is promised of others."""
    _numbers: "count[int]" = field(default_factory=count)

    def admit(self, newcomer: Newcomer, conversation: Conversation) -> bool:
        """Whether it takes part from now on; else it is told why not."""
        roster, number = conversation.roster, next(self._numbers)
        line = Line(number, newcomer.connection, conversation.events)
        others = roster.numbers
        there = tuple(roster.members.values())
        roster.add(
            Member(
                number=number,
                name=newcomer.name,
                line=line,
                addresses=newcomer.addresses,
                port=newcomer.port,
                profile=newcomer.profile,
                weights=newcomer.weights,
            )
        )
        try:
            _check_newcomer(newcomer, there)
            for other in others:
                self._measure_if_there(number, other, conversation)
        except Exception as error:  # whatever it is, those that are there are served on
            refusal = f"device {newcomer.name} was turned away: {error}"
            line.send(Frame(header={"kind": "refused", "why": str(error)}))
            line.close()
            roster.remove(number)
            conversation.tell(refusal)
            return False
        line.send(Frame(header={"kind": "welcome", "device": number}))
        conversation.tell(f"device {newcomer.name} takes part")
        return True

    def measure_links(self, devices: Iterable[int], conversation: Conversation) -> float:
        """Measure the links among members anew; gives the greatest relative change of a message's time.

        Raises:
            MemberLostError: when one of them is gone.
        """
        changes = [0.0]
        for a, b in permutations(sorted(devices), 2):
            if frozenset((a, b)) not in conversation.roster.cuts:
                changes.append(self.measure_link(a, b, conversation))
        return max(changes)

    def measure_link(
        self, sender: int, receiver: int, conversation: Conversation, reach_s: float = _REACH_S
    ) -> float:
        """Measure one link anew; gives the relative change of a message's time.

        Members that do not reach each other are in no plan together until they do. ``reach_s``: how long one
        of them tries each address of the other.

        Raises:
            MemberLostError: when one of them is gone.
        """
        roster, pair = conversation.roster, frozenset((sender, receiver))
        was_cut = pair in roster.cuts
        try:
            after = self._measured(sender, receiver, conversation, reach_s)
        except CutOffError as error:
            roster.cuts.add(pair)
            if not was_cut:
                conversation.tell(f"two devices do not reach each other: {error}")
            return 0.0 if was_cut else inf
        before = roster.links.get((sender, receiver))
        if before is None:  # those of a member that is gone are forgotten
            raise MemberLostError(f"device {sender} or {receiver} went away while its link was measured")
        roster.links[sender, receiver] = after
        roster.cuts.discard(pair)
        return inf if was_cut else _change(before, after)

    def _measure_if_there(self, number: int, other: int, conversation: Conversation) -> None:
        """Both directions; that another member is lost meanwhile is no fault of the newcomer."""
        members = conversation.roster.members
        try:
            self._measure_both(number, other, conversation)
        except MemberLostError:
            if number not in members or other in members:
                raise

    def _measure_both(self, number: int, other: int, conversation: Conversation) -> None:
        """Both directions, one after the other.

        Raises:
            DeviceError: when one is slower than was promised.
        """
        members = conversation.roster.members
        for a, b in ((number, other), (other, number)):
            link = self._measured(a, b, conversation)
            names = [members[each].name for each in (a, b) if each in members]
            if len(names) < len((a, b)):
                raise MemberLostError("a device went away while its link was measured")
            promised = min(
                (self.promised_rates[name] for name in names if name in self.promised_rates), default=0.0
            )
            if link.rate < promised * _PROMISE_KEPT:
                raise DeviceError(
                    f"the link from {names[0]} to {names[1]} reaches {link.rate * _BITS / _MBIT:.4g} "
                    f"Mbit/s, but {promised * _BITS / _MBIT:.4g} Mbit/s were promised; mend the link, or "
                    "promise less."
                )
            conversation.roster.links[a, b] = link

    def _measured(
        self, sender: int, receiver: int, conversation: Conversation, reach_s: float = _REACH_S
    ) -> LinkProfile:
        """From one member to another; the receiver is told whom to expect first."""
        key, members = token_hex(16), conversation.roster.members
        if sender not in members or receiver not in members:
            raise MemberLostError(f"device {sender if receiver in members else receiver} is gone")
        where = {"addresses": list(members[receiver].addresses), "port": members[receiver].port}
        expected = {"kind": "expect", "key": key, "as": receiver, "callers": [sender]}
        conversation.send([receiver], Frame(header=expected | {"is_probe": True}))
        conversation.gathered("expecting", {receiver}, {"key": key})
        probe = {"kind": "probe", "key": key, "where": where, "as": sender, "to": receiver}
        conversation.send([sender], Frame(header=probe | {"reach_s": reach_s}))
        frame = conversation.gathered("probed", {sender}, {"key": key})[sender]
        return link_profile_of(frame.header["link"])


def _check_newcomer(newcomer: Newcomer, there: Iterable[Member]) -> None:
    for member in there:
        if member.name == newcomer.name:
            raise DeviceError(f"a device called {member.name} is there already; give it another name.")
        if member.weights != newcomer.weights:
            raise DeviceError(
                f"its weights are not those of device {member.name}, which is there; copy the checkpoint "
                "anew to all devices."
            )


def _change(before: LinkProfile, after: LinkProfile) -> float:
    """How much longer or shorter a message takes that the old link needed a millisecond for."""
    typical_bytes = before.rate * 1e6 / NS_PER_S
    return abs(after.time_ns(typical_bytes) / before.time_ns(typical_bytes) - 1.0)
