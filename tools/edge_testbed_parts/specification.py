"""What a testbed is asked to be: its devices, the links between them, and how its figures are to be read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Mode = Literal["real", "paced"]
"""``real``: devices compute. ``paced``: they only take the time that a device of that speed would."""
HEAD = "head"
"""The host beside the devices, without limits, where launchers and clients run."""
MOST_DEVICES = 64
SSH_URI = "ssh://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device: a real machine that ssh reaches, or an emulated one."""

    name: str
    host: str = ""
    """As ssh is told it: ``pi@10.0.0.5`` or ``ssh://pi@10.0.0.5:2222``; empty for an emulated device."""
    cores: tuple[int, ...] = ()
    """Cores of this machine that it may use; none named: any."""
    quota: float | None = None
    """Processor time, in cores; None: all that is there."""
    memory_bytes: int | None = None
    flop_per_s: float | None = None
    """What it takes its time by in paced mode."""

    @property
    def host_address(self) -> str:
        """The name or address of a real machine, by which others reach it, too."""
        place = self.host.removeprefix(SSH_URI).rpartition("@")[2]
        return place.rpartition(":")[0] or place if self.host.startswith(SSH_URI) else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How one device hangs on the switch; None: no limit."""

    up_bit_per_s: float | None = None
    down_bit_per_s: float | None = None
    delay_ns: float = 0.0
    """One way, from this device to any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What two devices have between them beside their links; each value in both directions."""

    between: tuple[str, str]
    rate_bit_per_s: float | None = None
    delay_ns: float | None = None
    """In place of that of their links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """One testbed."""

    name: str
    mode: Mode
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    """Of each device."""
    pairs: tuple[Pair, ...] = ()

    @property
    def is_emulated(self) -> bool:
        """Whether its devices are made on this machine."""
        return not self.devices[0].host

    @property
    def names(self) -> tuple[str, ...]:
        """Of the devices, in order."""
        return tuple(device.name for device in self.devices)

    def node_name(self, name: str) -> str:
        """The host name of a device: testbeds that stand side by side have no name in common."""
        return f"{self.name}-{name}"

    def rate_bit_per_s(self, source: str, target: str) -> float | None:
        """The rate that is asked for from one device to another; None: no limit."""
        pair = self.pair(source, target)
        rates = [
            self.links[self.names.index(source)].up_bit_per_s,
            self.links[self.names.index(target)].down_bit_per_s,
            pair.rate_bit_per_s if pair else None,
        ]
        return min((rate for rate in rates if rate is not None), default=None)

    def delay_ns(self, source: str, target: str) -> float:
        """The delay that is asked for from one device to another."""
        pair = self.pair(source, target)
        if pair is not None and pair.delay_ns is not None:
            return pair.delay_ns
        return self.links[self.names.index(source)].delay_ns

    def pair(self, one: str, other: str) -> Pair | None:
        """What is said of these two, if anything."""
        return next((pair for pair in self.pairs if {*pair.between} == {one, other}), None)

    @property
    def has_delays(self) -> bool:
        """Whether any frame is to be held back."""
        return any(link.delay_ns for link in self.links) or any(pair.delay_ns for pair in self.pairs)


def specification_json(asked: Specification) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(asked)


def specification_of(document: Mapping[str, Any]) -> Specification:
    """The specification in a document that ``specification_json`` made."""
    devices = (Device(**{**each, "cores": tuple(each["cores"])}) for each in document["devices"])
    pairs = (Pair(**{**each, "between": tuple(each["between"])}) for each in document["pairs"])
    return Specification(
        name=document["name"],
        mode=document["mode"],
        devices=tuple(devices),
        links=tuple(Link(**each) for each in document["links"]),
        pairs=tuple(pairs),
    )
