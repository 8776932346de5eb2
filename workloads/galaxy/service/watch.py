"""What requests that were measured say of the devices and links.

A device that took twice as long as foreseen to compute is taken for half as fast from then on. Where all
devices computed as foreseen and the answer came late, the links are what changed: they have to be measured
again. One request is enough for a change beyond what its times scatter by otherwise.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, log1p
from statistics import median

from workloads.galaxy.profile import DeviceProfile

TOLERATED = 0.15
"""A device or an answer that is off by less is as foreseen."""
BEYOND_SCATTER = 4.0
"""Times the usual deviation: of normal ones, 1 in 16 000 is beyond."""
_REMEMBERED = 15
"""Requests by which the usual deviation is known."""
_NORMAL = 1.4826
"""Standard deviation over median absolute deviation, of a normal distribution."""
_ANSWER = -1
"""Stands for the whole answer among numbers of devices."""
WORTH = 0.05
"""A new plan must be foreseen to be so much faster: to load weights costs time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One request: what was foreseen and what came, by the devices of its plan."""

    foreseen_compute_ns: Mapping[int, float]
    compute_ns: Mapping[int, float]
    foreseen_latency_ns: float
    latency_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be believed now."""

    speeds: Mapping[int, float]
    """For each device that changed: how fast it is, relative to what was believed."""
    has_new_links: bool
    """Whether links behave otherwise than they did."""

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
        speeds = {}
        for device, foreseen_ns in measured.foreseen_compute_ns.items():
            taken_ns = measured.compute_ns.get(device, 0.0)
            if foreseen_ns > 0 and taken_ns > 0 and self._is_off(device, taken_ns / foreseen_ns):
                speeds[device] = foreseen_ns / taken_ns
        is_off = self._is_off(_ANSWER, measured.latency_ns / measured.foreseen_latency_ns)
        return Finding(speeds=speeds, has_new_links=is_off and not speeds)

    def _is_off(self, number: int, ratio: float) -> bool:
        """Whether a time is further off than usual."""
        known = self._deviations.setdefault(number, deque(maxlen=_REMEMBERED))
        deviation = abs(log(ratio))
        usual = _NORMAL * median(known) if known else 0.0
        is_off = deviation > max(log1p(TOLERATED), BEYOND_SCATTER * usual)
        # What was off is remembered as half: a machine that is always restless becomes usual after a while.
        known.append(deviation / 2 if is_off else deviation)
        return is_off


def slowed(profile: DeviceProfile, speed: float) -> DeviceProfile:
    """The profile of a device that is ``speed`` times as fast as it was."""
    return replace(
        profile,
        product_rates=tuple(rate * speed for rate in profile.product_rates),
        attention_rate=profile.attention_rate * speed,
        memory_rate=profile.memory_rate * speed,
        call_ns=profile.call_ns / speed,
        tile_ns=profile.tile_ns / speed,
    )


def is_worth(current_ns: float, other_ns: float) -> bool:
    """Whether a plan that is foreseen to take ``other_ns`` should replace the current one."""
    return other_ns < current_ns * (1.0 - WORTH)
