"""What requests that were measured say of the devices and links.

A device that took twice as long as foreseen is taken for half as fast from then on, its work and what is
around it each for itself. Where all devices were as fast as foreseen and the answer came late, the links are
what changed: they have to be measured again. One request is enough for a change beyond what its times scatter
by otherwise.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, log1p
from statistics import median

from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.service.busy import Busy

TOLERATED = 0.15
"""A device or an answer that is off by less is as foreseen."""
BEYOND_SCATTER = 4.0
"""Times the usual deviation: of normal ones, 1 in 16 000 is beyond."""
_REMEMBERED = 15
"""Requests by which the usual deviation is known."""
_NORMAL = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""
_PIECES_OF_A_TILE = 5.0 / 3.0
"""For each of the three that a forecast counts in a layer; the others add, or connect, in both halves."""
_ANSWER = -1
"""Stands for the whole answer among numbers of devices."""
WORTH = 0.05
"""A new plan must be foreseen to be so much faster: to load weights costs time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One request: what was foreseen and what came, by the devices of its plan."""

    foreseen: Mapping[int, Busy]
    taken: Mapping[int, Busy]
    foreseen_latency_ns: float
    latency_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast a device is, relative to what was believed."""

    work: float
    around: float
    """With tiles, besides work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be believed now."""

    speeds: Mapping[int, Speed]
    """Of each device that changed."""
    tile_ns: Mapping[int, float]
    """What a tile costs besides work on devices of which the forecast says nothing of it."""
    has_new_links: bool
    """Whether no device explains when the answer came, so that links behave otherwise than they did."""

    @property
    def is_as_foreseen(self) -> bool:
        """Whether nothing changed."""
        return not self.speeds and not self.has_new_links


class Watch:
    """Remembers how far off devices and answers usually are."""

    def __init__(self) -> None:
        self._deviations: dict[int, deque[float]] = {}

    def finding(self, measured: Measured) -> Finding:
        """What a request says."""
        speeds: dict[int, Speed] = {}
        tile_ns: dict[int, float] = {}
        for device, foreseen in measured.foreseen.items():
            taken = measured.taken.get(device)
            if taken is None or min(foreseen.work_ns, taken.work_ns) <= 0:
                continue
            if not foreseen.around_ns:  # of a plan without tiles: what is around work is not in the forecast
                tile_ns |= {device: _tile_ns(taken)} if taken.num_pieces else {}
                taken = replace(taken, around_ns=0.0)
            if self._is_off(device, taken.total_ns / foreseen.total_ns):
                speeds[device] = _speed(foreseen, taken)
        is_off = self._is_off(_ANSWER, measured.latency_ns / measured.foreseen_latency_ns)
        return Finding(speeds=speeds, tile_ns=tile_ns, has_new_links=is_off and not speeds)

    def _is_off(self, number: int, ratio: float) -> bool:
        """Whether a time is further off than usual."""
        known = self._deviations.setdefault(number, deque(maxlen=_REMEMBERED))
        deviation = abs(log(ratio))
        usual = _NORMAL * median(known) if known else 0.0
        is_off = not is_tolerated(ratio) and deviation > BEYOND_SCATTER * usual
        # What was off is remembered as half: a machine that is always restless becomes usual after a while.
        known.append(deviation / 2 if is_off else deviation)
        return is_off


def slowed(profile: DeviceProfile, speed: Speed) -> DeviceProfile:
    """The profile of a device that is so fast, relative to what it was."""
    return replace(
        profile,
        product_rates=tuple(rate * speed.work for rate in profile.product_rates),
        attention_rate=profile.attention_rate * speed.work,
        memory_rate=profile.memory_rate * speed.work,
        call_ns=profile.call_ns / speed.work,
        tile_ns=profile.tile_ns / speed.around,
    )


def _tile_ns(taken: Busy) -> float:
    return _PIECES_OF_A_TILE * taken.around_ns / taken.num_pieces


def _speed(foreseen: Busy, taken: Busy) -> Speed:
    """What a request shows; a device that is slow is so with tiles, too, as long as none were seen."""
    work = foreseen.work_ns / taken.work_ns
    is_known = min(foreseen.around_ns, taken.around_ns) > 0
    return Speed(work=work, around=foreseen.around_ns / taken.around_ns if is_known else work)


def is_tolerated(ratio: float) -> bool:
    """Whether a time, relative to what was foreseen, is as foreseen."""
    return abs(log(ratio)) <= log1p(TOLERATED)


def is_worth(current_ns: float, other_ns: float) -> bool:
    """Whether a plan that is foreseen to take ``other_ns`` should replace the current one."""
    return other_ns < current_ns * (1.0 - WORTH)
