"""What the links and devices of a testbed really do, beside what was asked of them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.network import address_of
from tools.edge_testbed_parts.run_folder import Testbed
from tools.edge_testbed_parts.testbeds import TOOL

SLACK = 0.05
"""A link may be so much slower than asked before it counts as slower."""
_DELAY_SLACK_NS = 1e6
_HEADER_BYTES = 66
"""Ethernet, IPv4 and TCP with time stamps, around each segment."""
_PROBE = Path(__file__).with_name("probe.py")
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredLink:
    """One direction between two devices."""

    source: str
    target: str
    asked_bit_per_s: float | None
    payload_bit_per_s: float
    """What TCP carried."""
    frame_bit_per_s: float
    """The same with headers, which is what is asked for and limited."""
    short_bit_per_s: float
    """Payload of 64 KiB after a pause."""
    asked_delay_ns: float
    """Of both ways together, as are those below."""
    round_trip_ns: float

    @property
    def is_slower(self) -> bool:
        """Whether it carries less than was asked for."""
        asked = self.asked_bit_per_s
        return asked is not None and self.frame_bit_per_s < (1.0 - SLACK) * asked

    @property
    def is_later(self) -> bool:
        """Whether messages take longer than was asked for."""
        slack = max(_DELAY_SLACK_NS, SLACK * self.asked_delay_ns)
        return self.round_trip_ns > self.asked_delay_ns + slack


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDevice:
    """One device."""

    name: str
    asked_quota: float | None
    speed: float
    """Of one thread, relative to the fastest device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All of a testbed."""

    links: tuple[MeasuredLink, ...]
    devices: tuple[MeasuredDevice, ...]


def measure(testbed: Testbed, seconds: float) -> Measured:
    """Streams over every cable in both directions and over every pair, one at a time, then all devices alone.

    Raises:
        TestbedError: when a device does not answer.
    """
    links = tuple(_link(testbed, source, target, seconds) for source, target in _directions(testbed))
    speeds = {name: _speed(testbed, name, seconds) for name in testbed.asked.names}
    fastest = max(speeds.values())
    devices = tuple(
        MeasuredDevice(name=device.name, asked_quota=device.quota, speed=speeds[device.name] / fastest)
        for device in testbed.asked.devices
    )
    return Measured(links=links, devices=devices)


def table(measured: Measured) -> str:
    """The figures in columns."""
    rows = [("link", "asked", "reached", "payload", "64 KiB", "asked delay", "round trip")]
    for link in measured.links:
        asked = "no limit" if link.asked_bit_per_s is None else _mbit(link.asked_bit_per_s)
        rows.append(
            (
                f"{link.source} -> {link.target}",
                asked,
                _mbit(link.frame_bit_per_s),
                _mbit(link.payload_bit_per_s),
                _mbit(link.short_bit_per_s),
                f"{link.asked_delay_ns / 1e6:.3g} ms",
                f"{link.round_trip_ns / 1e6:.3g} ms",
            )
        )
    speeds = [("device", "quota", "speed")]
    for device in measured.devices:
        quota = "-" if device.asked_quota is None else f"{device.asked_quota:g}"
        speeds.append((device.name, quota, f"{device.speed:.2f}"))
    notes = "rates in Mbit/s; asked and reached count whole frames; delays are of both ways together"
    return f"{_columns(rows)}\n{notes}\n\n{_columns(speeds)}\nspeed of one thread, of the fastest device"


def require_as_asked(measured: Measured) -> None:
    """Refuse links that are slower than asked.

    Raises:
        TestbedError: naming them.
    """
    slow = [
        f"{link.source} -> {link.target} carries {_mbit(link.frame_bit_per_s)} of "
        f"{_mbit(link.asked_bit_per_s or 0.0)} Mbit/s"
        for link in measured.links
        if link.is_slower
    ]
    slow += [
        f"{link.source} -> {link.target} and back take {link.round_trip_ns / 1e6:.3g} ms, asked are "
        f"{link.asked_delay_ns / 1e6:.3g} ms"
        for link in measured.links
        if link.is_later
    ]
    if slow:
        raise TestbedError(
            f"links are slower than asked: {'; '.join(slow)}",
            "ask for less, or leave more of the machine free; figures measured so are those of slower links.",
        )


def _directions(testbed: Testbed) -> list[tuple[str, str]]:
    """Around the ring, which takes every cable in both directions, and every pair."""
    names = testbed.asked.names
    ring = list(zip(names, (*names[1:], names[0]), strict=True)) if len(names) > 1 else []
    pairs = [way for pair in testbed.asked.pairs for way in (pair.between, pair.between[::-1])]
    return list(dict.fromkeys([*ring, *pairs]))


def _link(testbed: Testbed, source: str, target: str, seconds: float) -> MeasuredLink:
    asked = testbed.asked
    with _probing(testbed, target, ["answer"]) as answering:
        port = answering.stdout.readline().strip() if answering.stdout else ""
        if not port.isdecimal():
            raise _silent(target)
        target_device = asked.devices[asked.names.index(target)]
        host = target_device.host_address or address_of(asked, target)
        found = json.loads(_told(testbed, source, ["call", host, port, str(seconds)]))
    if not found["seconds"]:
        raise _silent(source)
    payload = 8 * found["bytes"] / found["seconds"]
    return MeasuredLink(
        source=source,
        target=target,
        asked_bit_per_s=asked.rate_bit_per_s(source, target),
        payload_bit_per_s=payload,
        frame_bit_per_s=payload * (found["segment"] + _HEADER_BYTES) / found["segment"],
        short_bit_per_s=8 * found["short_bytes"] / found["short_s"],
        asked_delay_ns=asked.delay_ns(source, target) + asked.delay_ns(target, source),
        round_trip_ns=found["ping_s"] * 1e9,
    )


def _speed(testbed: Testbed, name: str, seconds: float) -> float:
    return float(json.loads(_told(testbed, name, ["compute", str(seconds)])))


def _told(testbed: Testbed, host: str, words: Sequence[str]) -> str:
    with _probing(testbed, host, words) as probing:
        told, _ = probing.communicate(timeout=_PATIENCE_S)
    if probing.returncode or not told.strip():
        raise _silent(host)
    return str(told)


@contextmanager
def _probing(testbed: Testbed, host: str, words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The probe on a host."""
    program = [sys.executable if testbed.asked.is_emulated else "python3", "-", *words]
    node = testbed.asked.node_name(host)
    entering = [sys.executable, str(TOOL), "enter", node, "--", *program]
    with _PROBE.open() as source:
        process = subprocess.Popen(entering, stdin=source, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _silent(host: str) -> TestbedError:
    return TestbedError(f"{host} could not be measured", "see the lines above; is the testbed up?")


def _mbit(rate_bit_per_s: float) -> str:
    return f"{rate_bit_per_s / 1e6:.4g}"


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
