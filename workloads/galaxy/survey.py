"""All devices and links of one replica: given by the problem or the testbed, else measured."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from augment.problem import ProblemError
from workloads.galaxy.device_memory import free_bytes
from workloads.galaxy.documents import as_document, device_profile_of, link_profile_of
from workloads.galaxy.given_devices import paced_device
from workloads.galaxy.group_words import told_by_all
from workloads.galaxy.link_probe import answer_probe, end_probe, probe_link, reached_rate
from workloads.galaxy.profile import ClusterProfile, DeviceProfile, LinkProfile, Pace
from workloads.galaxy.profiler import profile_device
from workloads.galaxy.seat import Seat
from workloads.galaxy.shapes import GalaxyShape

_PATIENCE_S = 60.0
"""For a word of the other end of a link that is probed."""
_KEPT = 0.95
"""Of a rate that links are held to: Ethernet and TCP carry so much of what a network is said to reach."""
_BITS, _MBIT = 8, 1e6
_NO_LINK = LinkProfile(delay_ns=0.0, rate=float("inf"))
"""From a device to itself."""


def survey(shape: GalaxyShape, seat: Seat, environ: Mapping[str, str] = os.environ) -> ClusterProfile:
    """What the planner has to know; all ranks call it and learn the same.

    Devices are measured at the same time, as they will work; links one after the other. Links that are held
    to a rate are only tried, whether the network carries so much.

    Raises:
        ProblemError: on all ranks, when a link is slower than the rate that it is to be held to.
        LinkError: when a rank is lost meanwhile.
    """
    hosts = told_by_all(_host(), seat.group)
    own = _own_device(shape, seat, environ, hosts.count(_host()))
    told = told_by_all({"device": as_document(own), "is_paced": _is_paced(shape, environ)}, seat.group)
    return ClusterProfile(
        devices=tuple(device_profile_of(each["device"]) for each in told),
        links=_links(shape, seat),
        pace=Pace.PACED if any(each["is_paced"] for each in told) else Pace.REAL,
    )


def _own_device(
    shape: GalaxyShape, seat: Seat, environ: Mapping[str, str], num_sharing: int
) -> DeviceProfile:
    if shape.devices.are_paced:
        return shape.devices.device(seat.rank)
    memory_bytes = shape.devices.memory_bytes(seat.rank) or _free_bytes(environ, num_sharing)
    name = environ.get("EDGE_DEVICE") or f"device {seat.rank}"
    if _is_paced(shape, environ):
        return paced_device(name, float(environ["EDGE_DEVICE_SPEED"]), memory_bytes)
    return profile_device(
        shape.architecture,
        seat.place,
        seat.clock,
        name=name,
        memory_bytes=memory_bytes,
        num_tokens=shape.sequence,
    )


def _free_bytes(environ: Mapping[str, str], num_sharing: int) -> int:
    """What the testbed tells is the limit of the whole program, in a control group of the device's own."""
    told = environ.get("EDGE_DEVICE_MEMORY_BYTES")
    return free_bytes(
        num_sharing, limit_bytes=int(told) if told else None, is_group_own="EDGE_DEVICE" in environ
    )


def _is_paced(shape: GalaxyShape, environ: Mapping[str, str]) -> bool:
    """Whether this device takes the time of another: the problem says so, or the testbed that it runs in."""
    is_said = environ.get("EDGE_TESTBED_MODE") == Pace.PACED and "EDGE_DEVICE_SPEED" in environ
    return shape.devices.are_paced or is_said


def _links(shape: GalaxyShape, seat: Seat) -> tuple[tuple[LinkProfile, ...], ...]:
    if shape.devices.has_paced_links:
        for rank in range(seat.num_ranks):
            _check_links_from(rank, shape.devices.link.rate, seat)
        return ((shape.devices.link,) * seat.num_ranks,) * seat.num_ranks
    return tuple(
        tuple(_link(a, b, seat) if a != b else _NO_LINK for b in range(seat.num_ranks))
        for a in range(seat.num_ranks)
    )


def _link(a: int, b: int, seat: Seat) -> LinkProfile:
    """From one rank to another, while nobody else says anything."""
    found = None
    if seat.rank == a:
        with _patient(seat.connections[b]) as connection:
            found = as_document(probe_link(connection, seat.clock))
    elif seat.rank == b:
        with _patient(seat.connections[a]) as connection:
            answer_probe(connection)
    return link_profile_of(told_by_all(found, seat.group)[a])


def _check_links_from(rank: int, rate: float, seat: Seat) -> None:
    """Try the links from one rank to the others, one after the other, up to the first that is too slow.

    Raises:
        ProblemError: on all ranks, where there is one.
    """
    slow: tuple[int, float] | None = None
    if seat.rank == rank:
        for other in sorted(seat.connections):
            with _patient(seat.connections[other]) as connection:
                reached = rate if slow else reached_rate(connection, seat.clock, rate)
                end_probe(connection)
            slow = (other, reached) if reached < _KEPT * rate else slow
    else:
        with _patient(seat.connections[rank]) as connection:
            answer_probe(connection)
    found = told_by_all(slow, seat.group)[rank]
    if found:
        raise ProblemError(
            f"links shall be held to {rate * _BITS / _MBIT:.4g} Mbit/s, but the network carries only "
            f"{found[1] * _BITS / _MBIT:.4g} Mbit/s from rank {rank} to rank {found[0]}; give a lower "
            "link_mbit, or none to take links as they are."
        )


@contextmanager
def _patient(connection: socket.socket) -> Iterator[socket.socket]:
    """A connection that does not wait for ever."""
    connection.settimeout(_PATIENCE_S)
    try:
        yield connection
    finally:
        connection.settimeout(None)


def _host() -> str:
    """The same for all ranks that share one memory."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.exists() else socket.gethostname()
