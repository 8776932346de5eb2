"""When the devices and links of a ring are busy; arithmetic only.

Each device computes one thing after the other, each link sends one message after the other, both in a fixed
order. Schedules are written over ``Clock``, so that what plays them may count time, or set up a linear
programme.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol, TypeVar

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


class RingClock:
    """Counts nanoseconds; place i sends to place i + 1, the last one to the first."""

    def __init__(self, links: Sequence[LinkProfile], limit_ns: float = inf) -> None:
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

    def send_by(self, link: LinkProfile, place: int, ready: float, num_bytes: int) -> float:
        """When a message is at another device than the next; it goes out the same way."""
        busy = link.busy_ns(num_bytes)
        end = max(self._link_free[place], ready) + busy
        self._link_free[place] = end
        self.link_busy_ns[place] += busy
        return end + link.delay_ns

    def repeated(
        self, layer: Callable[[Tiles[float]], Tiles[float]], ready: Tiles[float], times: int
    ) -> Tiles[float]:
        """What ``layer`` gives after so many times, each begun with what the one before gave.

        Once a layer shifts every device, link and tile by one and the same time, all that follow do:
        nothing is lost by counting them at once. Nor are layers played that cannot end before ``limit_ns``:
        times are then too early, but not before it.
        """
        for done in range(1, times + 1):
            before, busy = self._state(ready), self.busy_ns + self.link_busy_ns
            ready = layer(ready)
            shifts = [new - old for new, old in zip(self._state(ready), before, strict=True)]
            shift = max(shifts)
            if shift - min(shifts) <= _SAME * shift:
                return self._shifted(ready, shift, times - done, busy)
            if self._least_ns(busy, times - done - 1) > self._limit_ns:
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
