"""When the devices and links of a ring are busy; arithmetic only.

Each device computes one thing after the other, each link sends one message after the other, both in a fixed
order. Schedules are written over ``Clock``, so that what plays them may count time, or set up a linear
programme.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import NamedTuple, Protocol, TypeVar

from workloads.galaxy.profile import NS_PER_S, LinkProfile

Time = TypeVar("Time")
Tiles = list[list[Time]]
"""Of each place of the ring and each of its tiles."""

_SAME = 1e-9
"""Part of a layer's time by which two shifts may differ and still be called one."""


class Clock(Protocol[Time]):
    """What a schedule is played on."""

    def wait(self, place: int, ready: Time) -> None:
        """A device does nothing before ``ready``."""

    def work(self, place: int, duration: Time) -> Time:
        """When a device has done what it does next."""

    def joined(self, place: int, end: Time, arrival: Time, duration: Time) -> Time:
        """When what a device made until ``end`` and what arrived are added, which takes so long."""

    def send(self, place: int, ready: Time, num_bytes: int) -> Time:
        """When a message is at the next device that is there to be sent at ``ready``."""


class Hop(NamedTuple):
    """Of each place [ns]."""

    busy_ns: tuple[float, ...]
    """How long what it sends keeps the link."""
    work_ns: tuple[float, ...]
    """What it does with what came."""


class Rounds(NamedTuple):
    """Hops of all places at once."""

    hops: tuple[Hop, ...]
    whole: Hop
    """Their sum."""

    @classmethod
    def of(cls, hops: Sequence[Hop]) -> "Rounds":
        """These hops, added up."""
        busy, work = (
            tuple(map(sum, zip(*each, strict=True)))
            for each in ([hop.busy_ns for hop in hops], [hop.work_ns for hop in hops])
        )
        return cls(hops=tuple(hops), whole=Hop(busy_ns=busy, work_ns=work))


class RingClock:
    """Counts nanoseconds; place i sends to place i + 1, the last one to the first."""

    def __init__(self, links: Sequence[LinkProfile], limit_ns: float = inf) -> None:
        self.links = links
        self._limit_ns = limit_ns
        self._free = [0.0] * len(links)
        self._link_free = [0.0] * len(links)
        self._delays = [link.delay_ns for link in links]
        self._messages = [link.message_ns for link in links]
        self._per_byte = [NS_PER_S / link.rate for link in links]
        self.busy_ns = [0.0] * len(links)
        """How long each device has computed."""
        self.link_busy_ns = [0.0] * len(links)
        """How long each link has sent."""

    def wait(self, place: int, ready: float) -> None:
        """A device does nothing before ``ready``."""
        self._free[place] = max(self._free[place], ready)

    def work(self, place: int, duration: float) -> float:
        """When a device has done what it does next."""
        end = self._free[place] + duration
        self._free[place] = end
        self.busy_ns[place] += duration
        return end

    def joined(self, place: int, end: float, arrival: float, duration: float) -> float:
        """When what a device made until ``end`` and what arrived are added, which takes so long.

        The device does other things until it comes.
        """
        self.work(place, duration)
        return (end if end > arrival else arrival) + duration

    def send(self, place: int, ready: float, num_bytes: int) -> float:
        """When a message is at the next device that is there to be sent at ``ready``."""
        busy = self._messages[place] + num_bytes * self._per_byte[place]
        free = self._link_free[place]
        end = (free if free > ready else ready) + busy  # max() costs twice as much
        self._link_free[place] = end
        self.link_busy_ns[place] += busy
        return end + self._delays[place]

    def around(self, rounds: Rounds) -> None:
        """Every place sends on what it has made last, and does something with what comes, so many times."""
        free, links = self._free, self._link_free
        for hop in rounds.hops:
            links = [
                (link if link > made else made) + busy
                for link, made, busy in zip(links, free, hop.busy_ns, strict=True)
            ]
            there = [end + delay for end, delay in zip(links, self._delays, strict=True)]
            free = [
                (own if own > came else came) + work
                for own, came, work in zip(free, (there[-1], *there[:-1]), hop.work_ns, strict=True)
            ]
        self._free, self._link_free = free, links
        self.busy_ns = [busy + more for busy, more in zip(self.busy_ns, rounds.whole.work_ns, strict=True)]
        self.link_busy_ns = [
            busy + more for busy, more in zip(self.link_busy_ns, rounds.whole.busy_ns, strict=True)
        ]

    def send_by(self, link: LinkProfile, place: int, ready: float, num_bytes: int) -> float:
        """When a message is at another device than the next; it goes out the same way."""
        busy = link.busy_ns(num_bytes)
        end = max(self._link_free[place], ready) + busy
        self._link_free[place] = end
        self.link_busy_ns[place] += busy
        return end + link.delay_ns

    def repeated(
        self,
        layer: Callable[[Tiles[float]], Tiles[float]],
        ready: Tiles[float],
        times: int,
        *,
        is_ordered: bool = True,
    ) -> Tiles[float]:
        """What ``layer`` gives after so many times, each begun with what the one before gave.

        Once a layer shifts every device, link and tile by one and the same time, all that follow do:
        nothing is lost by counting them at once. Nor are layers played that cannot end before ``limit_ns``:
        times are then too early, but not before it. Where the order of all work is fixed (``is_ordered``),
        no layer shifts anything by less than the one before shifted the least: what comes later never makes
        anything earlier (such maps are called topical; Gunawardena, Theor. Comput. Sci. 293, 2003, 141).
        """
        for done in range(1, times + 1):
            before, busy = self._state(ready), self.busy_ns + self.link_busy_ns
            ready = layer(ready)
            shifts = [new - old for new, old in zip(self._state(ready), before, strict=True)]
            shift, least = max(shifts), min(shifts)
            if shift - least <= _SAME * shift:
                return self._shifted(ready, shift, times - done, busy)
            end = self._least_ns(busy, times - done - 1)
            if is_ordered:
                end = max(end, min(time for tiles in ready for time in tiles) + least * (times - done))
            if end > self._limit_ns * (1 + _SAME):  # sums are rounded
                return self._shifted(ready, self._limit_ns, times - done, busy)
        return ready

    def _least_ns(self, busy: Sequence[float], times: int) -> float:
        """When the last device or link is done at least, if it does so often what it did since ``busy``."""
        now, free = self.busy_ns + self.link_busy_ns, self._free + self._link_free
        return max(end + times * (new - old) for end, new, old in zip(free, now, busy, strict=True))

    def _state(self, ready: Tiles[float]) -> list[float]:
        return [*self._free, *self._link_free, *(time for tiles in ready for time in tiles)]

    def _shifted(self, ready: Tiles[float], shift: float, times: int, busy: Sequence[float]) -> Tiles[float]:
        """So many more layers, each of which does what the one since ``busy`` did."""
        num, later = len(self._free), shift * times
        self._free = [time + later for time in self._free]
        self._link_free = [time + later for time in self._link_free]
        now = self.busy_ns + self.link_busy_ns
        then = [new + times * (new - old) for new, old in zip(now, busy, strict=True)]
        self.busy_ns, self.link_busy_ns = then[:num], then[num:]
        return [[time + later for time in tiles] for tiles in ready]
