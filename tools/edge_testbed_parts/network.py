"""The network of a testbed: a switch, a cable from it to every host, and the limits of the cables.

The switch lies in a namespace without addresses; hosts are the processes that keep them.
"""

import subprocess
from collections.abc import Mapping, Sequence

from tools.edge_testbed_parts.errors import MISSING, TestbedError
from tools.edge_testbed_parts.parts import DelaysBy, Part
from tools.edge_testbed_parts.shaping import downward, segments_bytes, upward
from tools.edge_testbed_parts.specification import HEAD, Specification

INTERFACE = "eth0"
"""Of each host."""
BRIDGE = "switch"
_PREFIX = "10.77.0"
_PREFIX_LENGTH = 24


def hosts_of(asked: Specification) -> tuple[str, ...]:
    """All hosts: the head, then the devices."""
    return (HEAD, *asked.names)


def address_of(asked: Specification, host: str) -> str:
    """The address of a host."""
    number = 254 if host == HEAD else 1 + asked.names.index(host)
    return f"{_PREFIX}.{number}"


def port_of(asked: Specification, host: str) -> str:
    """The interface of the switch that leads to a host."""
    return f"port{hosts_of(asked).index(host)}"


def connect(asked: Specification, keepers: Mapping[str, Part], *, by_bridge: bool) -> None:
    """Lays the cables, from inside the switch's namespace.

    Raises:
        TestbedError: when the kernel refuses one.
    """
    lines = ["link set lo up", *([f"link add name {BRIDGE} type bridge"] if by_bridge else [])]
    lines += [f"link set {BRIDGE} up"] if by_bridge else []
    for host, keeper in keepers.items():
        port = port_of(asked, host)
        lines.append(f"link add name {port} type veth peer name {INTERFACE} netns {keeper.pid}")
        lines.append(f"link set {port} master {BRIDGE} up" if by_bridge else f"link set {port} promisc on up")
    run_batch(["ip", "-batch", "-"], lines)
    for host, keeper in keepers.items():
        address = address_of(asked, host)
        own = [
            "link set lo up",
            f"addr add {address}/{_PREFIX_LENGTH} dev {INTERFACE}",
            f"link set {INTERFACE} up",
        ]
        run_batch([*within(keeper.shown), "ip", "-batch", "-"], own)


def limit_links(
    asked: Specification,
    keepers: Mapping[str, Part],
    *,
    devices: Sequence[str],
    delays_by: DelaysBy,
    is_new: bool,
) -> None:
    """Sets the rates of some devices, and their delays where the kernel can.

    Raises:
        TestbedError: when the kernel refuses.
    """
    addresses = [address_of(asked, name) for name in asked.names]
    for name in devices:
        lines = upward(asked, name, addresses, INTERFACE, delays_by=delays_by, is_new=is_new)
        rate = asked.links[asked.names.index(name)].up_bit_per_s
        size = f"link set dev {INTERFACE} gso_max_size {segments_bytes(rate, delays_by)}"
        run_batch([*within(keepers[name].shown), "tc", "-batch", "-"], lines)
        run_batch([*within(keepers[name].shown), "ip", "-batch", "-"], [size])
        run_batch(["tc", "-batch", "-"], downward(asked, name, port_of(asked, name), delays_by))


def has_netem(asked: Specification) -> bool:
    """Whether the kernel can delay what these links send; tried on an interface of no use to others."""
    if asked.pairs:
        return False  # pairs may have delays of their own, which the switch can
    tried = subprocess.run(
        ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
        capture_output=True,
        check=False,
    )
    if tried.returncode == 0:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], capture_output=True, check=False)
    return tried.returncode == 0


def set_cable(asked: Specification, host: str, state: str) -> None:
    """Takes the cable of a host ``up`` or ``down``, at the switch."""
    run_batch(["ip", "-batch", "-"], [f"link set {port_of(asked, host)} {state}"])


def within(keeper: int) -> list[str]:
    """What runs a command in the network of a host, from the switch's namespace."""
    return ["nsenter", f"--net=/proc/{keeper}/ns/net", "--"]


def run_batch(command: Sequence[str], lines: Sequence[str]) -> None:
    """Feeds lines to ``ip`` or ``tc``.

    Raises:
        TestbedError: with what it said, when it refuses one.
    """
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise TestbedError(
            f"{' '.join(command)} refused one of {lines!r}: {said}",
            "the kernel may lack veth, bridge, tbf or htb.",
            MISSING,
        )
