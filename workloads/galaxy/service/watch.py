"""What requests that were measured say of the devices and links.

A device that took twice as long as foreseen is taken for half as fast from then on, its work and what is
around it each for itself. Where all devices were as fast as foreseen and the answer came late, the links are
what changed: they have to be measured again. One request is enough for a change beyond what its times scatter
by otherwise; of a smaller one, several in a row tell, as their mean scatters less.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import exp, log, log1p, sqrt
from statistics import fmean, median

from workloads.galaxy.profile import DeviceProfile
from workloads.galaxy.service.busy import Busy

TOLERATED = 0.15
"""A device or an answer that is off by less is as foreseen."""
BEYOND_SCATTER = 4.0
"""Times the usual deviation: of normal ones, 1 in 16 000 is beyond."""
_REMEMBERED = 20
"""Requests by which the usual deviation is known."""
_IN_A_ROW = 4
"""Requests that tell of a change together."""
_FEW = 8
"""Fewer requests before them do not tell what they scatter by."""
_NORMAL = 1.2533
"""Standard deviation over mean absolute deviation, of a normal distribution."""
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
        self._known: dict[int, _Known] = {}

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
            if change := self._known.setdefault(device, _Known()).change(foreseen, taken):
                speeds[device] = _speed(*change)
        answer = (_whole(measured.foreseen_latency_ns), _whole(measured.latency_ns))
        is_off = self._known.setdefault(_ANSWER, _Known()).change(*answer) is not None
        return Finding(speeds=speeds, tile_ns=tile_ns, has_new_links=is_off and not speeds)


class _Known:
    """What is known of one device, or of answers."""

    def __init__(self) -> None:
        self._offs: deque[float] = deque(maxlen=_REMEMBERED)
        """Logarithms of times relative to what was foreseen."""
        self._since: deque[tuple[Busy, Busy]] = deque(maxlen=_IN_A_ROW)
        """What was foreseen and what came since something else was believed."""

    def change(self, foreseen: Busy, taken: Busy) -> tuple[Busy, Busy] | None:
        """What was foreseen of the last requests and what came, all in all, where these tell of a change."""
        self._offs.append(log(taken.total_ns / foreseen.total_ns))
        self._since.append((foreseen, taken))
        offs = list(self._offs)
        for count in (1, _IN_A_ROW):
            before, off = offs[:-count], fmean(offs[-count:])
            if count > len(self._since) or (count > 1 and len(before) < _FEW):
                return None
            if not is_tolerated(exp(off)) and abs(off) > BEYOND_SCATTER * _scatter(before) / sqrt(count):
                return self._believed(count, off)
        return None

    def _believed(self, count: int, off: float) -> tuple[Busy, Busy]:
        """What the last requests tell, which is what is foreseen from now on."""
        # By what is believed now, these are off by less. One alone may be chance, by which a restless device
        # becomes known as one.
        less = off if count > 1 else off / 2
        last = [self._offs.pop() - less for _ in range(count)]
        self._offs.extend(reversed(last))
        foreseen, taken = zip(*list(self._since)[-count:], strict=True)
        self._since.clear()
        return _sum(foreseen), _sum(taken)


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


def _scatter(offs: Collection[float]) -> float:
    """Usual deviation from what is usual."""
    if not offs:
        return 0.0
    middle = median(offs)
    return _NORMAL * fmean(abs(off - middle) for off in offs)


def _whole(duration_ns: float) -> Busy:
    return Busy(work_ns=duration_ns, around_ns=0.0)


def _sum(parts: Iterable[Busy]) -> Busy:
    every = tuple(parts)
    return Busy(work_ns=sum(each.work_ns for each in every), around_ns=sum(each.around_ns for each in every))


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
