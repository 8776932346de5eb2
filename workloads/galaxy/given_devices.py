"""Devices and links that a problem itself gives, so that any machine can stand for them; arithmetic only.

A device that has its speed from the problem does not compute but takes the time that it would: it is *paced*.
A link with a rate of its own is held to it in user space, whatever the network could do. What is not given is
as it is found: measured before a plan is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from augment.problem import Shape
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile, Pace

CLUSTER_SIZES: Mapping[str, str] = {
    "link_mbit": "Mbit/s of every link in each direction, held in user space; 0 or not given: as it is",
    "delay_us": "microseconds that every message is delayed besides; if not given, 0; needs link_mbit",
    "speeds": "GFLOP/s of each device, such as 20 or '20:10:5' (again from the first where there are more "
    "ranks): devices are paced and do not compute; 0 or not given: as they are",
    "memory_mb": "megabytes that each device may hold, such as '1500:700'; 0 or not given: what is free",
}
"""Each size of devices and links with its meaning."""
FREE_BYTES = 1 << 60
"""What a paced device may hold where nobody says: no plan fails for want of it."""
BYTES_PER_FLOP = 1.0
"""Bytes/s of memory that a paced device has for each FLOP/s, as boards for the edge do: 25.6 GB/s of a Jetson
Nano for some 20 GFLOP/s that its four cores reach in float32."""
_GIGA, _MEGA = 1e9, 1e6
_BITS = 8
_MOST_DELAY_US = 10**7
_MOST_MBIT = 10**6
_MOST_IN_MIX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenDevices:
    """What a problem says of its devices and links."""

    link_mbit: float
    """0: as the network is."""
    delay_us: float
    speeds: tuple[float, ...]
    """GFLOP/s of each device, again from the first where there are more; empty: as they are."""
    memory_mb: tuple[float, ...]
    """Of each device in the same way; empty: what is free."""

    @property
    def are_paced(self) -> bool:
        """Whether devices take the time of others in place of computing."""
        return bool(self.speeds)

    @property
    def has_paced_links(self) -> bool:
        """Whether links are held to a rate."""
        return self.link_mbit > 0

    @property
    def link(self) -> LinkProfile:
        """Every link; only where they are held."""
        return LinkProfile(delay_ns=self.delay_us * 1e3, rate=self.link_mbit * _MEGA / _BITS)

    @property
    def devices_label(self) -> str:
        """Such as ``20:10:5 GFLOP/s paced``, ``real``."""
        words = [f"{_joined(self.speeds)} GFLOP/s paced" if self.speeds else "real"]
        return ", ".join(words + ([f"{_joined(self.memory_mb)} MB"] if self.memory_mb else []))

    @property
    def links_label(self) -> str:
        """Such as ``125 Mbit/s + 200 us``, ``as they are``."""
        if not self.has_paced_links:
            return "as they are"
        return f"{self.link_mbit:g} Mbit/s" + (f" + {self.delay_us:g} us" if self.delay_us else "")

    def speed(self, device: int) -> float:
        """FLOP/s of a paced device."""
        return self.speeds[device % len(self.speeds)] * _GIGA

    def memory_bytes(self, device: int) -> int | None:
        """What a device may hold; None where nobody says."""
        if not self.memory_mb:
            return None
        return round(self.memory_mb[device % len(self.memory_mb)] * _MEGA)

    def device(self, device: int) -> DeviceProfile:
        """A paced device."""
        memory_bytes = self.memory_bytes(device)
        most_bytes = FREE_BYTES if memory_bytes is None else memory_bytes
        return paced_device(f"device {device}", self.speed(device), most_bytes)

    def cluster(self, num_devices: int) -> ClusterProfile | None:
        """So many devices; None where something has to be measured first."""
        if not self.are_paced or (num_devices > 1 and not self.has_paced_links):
            return None
        link = self.link if self.has_paced_links else LinkProfile(delay_ns=0.0, rate=float("inf"))
        return ClusterProfile(
            devices=tuple(self.device(device) for device in range(num_devices)),
            links=((link,) * num_devices,) * num_devices,
            pace=Pace.PACED,
        )


def paced_device(name: str, speed: float, memory_bytes: int) -> DeviceProfile:
    """A device that takes the time of one of ``speed`` FLOP/s, few rows or many, in place of computing."""
    return DeviceProfile(
        name=name,
        product_rows=(1,),
        product_rates=(speed,),
        attention_rate=speed,
        memory_rate=speed * BYTES_PER_FLOP,
        call_ns=0.0,
        memory_bytes=memory_bytes,
    )


def given_devices(shape: Shape, faults: list[str]) -> GivenDevices:
    """What a data shape says of devices and links; whatever is wrong is added to ``faults``."""
    link_mbit = _number(shape, "link_mbit", _MOST_MBIT, faults)
    delay_us = _number(shape, "delay_us", _MOST_DELAY_US, faults)
    if delay_us and not link_mbit:
        faults.append(
            f"delay_us is {delay_us:g}, but links are as the network is; give link_mbit too, or no delay_us."
        )
    return GivenDevices(
        link_mbit=link_mbit,
        delay_us=delay_us,
        speeds=_mix(shape, "speeds", faults),
        memory_mb=_mix(shape, "memory_mb", faults),
    )


def _number(shape: Shape, name: str, most: float, faults: list[str]) -> float:
    value = shape.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        faults.append(f"{name} is {str(value)[:60]!r}; give a number from 0 to {most:g}.")
        return 0.0
    return float(value)


def _mix(shape: Shape, name: str, faults: list[str]) -> tuple[float, ...]:
    """A number for each device, from ``20`` or ``20:10:5``."""
    given = shape.get(name, 0)
    if given == 0 and not isinstance(given, bool):
        return ()
    words = str(given).split(":")
    try:
        found = tuple(float(word) for word in words)
    except ValueError:
        found = ()
    is_fit = 0 < len(found) <= _MOST_IN_MIX and all(isfinite(value) and value > 0 for value in found)
    if not is_fit or isinstance(given, bool):
        faults.append(
            f"{name} is {str(given)[:60]!r}; give a number above 0, or one for each device such as '20:10:5'."
        )
        return ()
    return found


def _joined(values: tuple[float, ...]) -> str:
    return ":".join(f"{value:g}" for value in values)
