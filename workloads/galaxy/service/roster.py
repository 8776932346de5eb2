"""The devices that are there, and what is known of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import sqrt

from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile, Pace
from workloads.galaxy.service.line import Line
from workloads.galaxy.service.watch import Finding, slowed

_NO_LINK = LinkProfile(delay_ns=0.0, rate=float("inf"))
"""From a device to itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device that takes part; its number is never given to another."""

    number: int
    name: str
    line: Line
    addresses: tuple[str, ...]
    """Where other devices reach it."""
    port: int
    profile: DeviceProfile
    weights: str = ""
    """A digest of its checkpoint; empty where weights are random."""


@dataclass(slots=True, kw_only=True)
class Roster:
    """All members by number, and the links between them."""

    pace: Pace = Pace.REAL
    members: dict[int, Member] = field(default_factory=dict)
    links: dict[tuple[int, int], LinkProfile] = field(default_factory=dict)
    """From one to another; only between members."""
    cuts: set[frozenset[int]] = field(default_factory=set)
    """Pairs of members that do not reach each other."""

    def add(self, member: Member) -> None:
        """A device that joins; its links are not known yet."""
        self.members[member.number] = member

    def remove(self, number: int) -> Member | None:
        """A device that is gone; None where it was none of them."""
        self.links = {pair: link for pair, link in self.links.items() if number not in pair}
        self.cuts = {pair for pair in self.cuts if number not in pair}
        return self.members.pop(number, None)

    def believe(self, found: Finding) -> None:
        """Devices are as they were found to be."""
        for number, speed in found.speeds.items():
            if number in self.members:
                self._describe(number, slowed(self.members[number].profile, speed))
        for number, tile_ns in found.tile_ns.items():
            if number in self.members:
                profile = self.members[number].profile
                # One request says little: the next ones say the rest.
                self._describe(number, replace(profile, tile_ns=sqrt(profile.tile_ns * tile_ns)))

    def _describe(self, number: int, profile: DeviceProfile) -> None:
        self.members[number] = replace(self.members[number], profile=profile)

    def cluster(self) -> ClusterProfile:
        """What is known, for a planner; its devices are those ``together``."""
        numbers = self.together
        return ClusterProfile(
            devices=tuple(self.members[number].profile for number in numbers),
            links=tuple(tuple(self.links.get((a, b), _NO_LINK) for b in numbers) for a in numbers),
            pace=self.pace,
        )

    def placed(self, plan: ParallelPlan) -> ParallelPlan:
        """A plan with the numbers of members, for ``cluster``; all of its devices must be ``together``."""
        places = {number: place for place, number in enumerate(self.together)}
        return replace(plan, parts=tuple(replace(part, device=places[part.device]) for part in plan.parts))

    def has_all(self, numbers: Iterable[int]) -> bool:
        """Whether all of these are there."""
        return all(number in self.members for number in numbers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of the members, rising."""
        return tuple(sorted(self.members))

    @property
    def together(self) -> tuple[int, ...]:
        """Members that all reach each other, rising: devices of a plan all meet.

        Left out are those that do not reach most others, of two the slower one.
        """
        left, cuts = set(self.members), self.cuts
        while cuts:
            counted = Counter(number for pair in cuts for number in pair)
            rates = {number: self.members[number].profile.product_rates[-1] for number in counted}
            worst = max(counted, key=lambda number: (counted[number], -rates[number], number))
            left.discard(worst)
            cuts = {pair for pair in cuts if worst not in pair}
        return tuple(sorted(left))
