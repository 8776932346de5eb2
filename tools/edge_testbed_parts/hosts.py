"""Processes on hosts of a testbed: what they find in their environment, and how they get there."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tools.edge_testbed_parts.control_groups import enter_group
from tools.edge_testbed_parts.errors import MISUSED, TestbedError
from tools.edge_testbed_parts.namespaces import Inside, become_inside, run_inside
from tools.edge_testbed_parts.network import INTERFACE, hosts_of
from tools.edge_testbed_parts.parts import holder_of, read_parts
from tools.edge_testbed_parts.remote import become_remote, remote_words, run_words
from tools.edge_testbed_parts.run_folder import Testbed, known_testbeds
from tools.edge_testbed_parts.specification import HEAD, Device

_SHELL = "/bin/sh"


def host_variables(testbed: Testbed) -> dict[str, str]:
    """What every process of a testbed finds in its environment, whatever its host."""
    asked = testbed.asked
    found = {"EDGE_TESTBED": asked.name, "EDGE_TESTBED_MODE": asked.mode}
    # Where the network is the testbed's own, its one interface is the one to use.
    return {**found, "GLOO_SOCKET_IFNAME": INTERFACE} if asked.is_emulated else found


def device_variables(testbed: Testbed, host: str) -> dict[str, str]:
    """What processes of one host find beside."""
    found = {"EDGE_DEVICE": host}
    if host != HEAD:
        device = device_of(testbed, host)
        found["EDGE_DEVICE_NUMBER"] = str(testbed.asked.names.index(host))
        if device.memory_bytes is not None:
            found["EDGE_DEVICE_MEMORY_BYTES"] = str(device.memory_bytes)
        if device.flop_per_s is not None:
            found["EDGE_DEVICE_SPEED"] = f"{device.flop_per_s:.6g}"
    if testbed.asked.is_emulated:
        found["TMPDIR"] = str(testbed.temporary(host))
    return found


def device_of(testbed: Testbed, host: str) -> Device:
    """The device of that name.

    Raises:
        TestbedError: when there is none.
    """
    for device in testbed.asked.devices:
        if host in {device.name, testbed.asked.node_name(device.name)}:
            return device
    raise TestbedError(
        f"{testbed.asked.name} has no device {host!r}",
        f"name one of {', '.join(testbed.asked.names)}.",
        MISUSED,
    )


def find_host(name: str) -> tuple[Testbed, str]:
    """The testbed and the host of a name: ``TESTBED-DEVICE``, or ``DEVICE`` where only one has it.

    Raises:
        TestbedError: when there is none, or more than one.
    """
    found = []
    for testbed in known_testbeds():
        for host in hosts_of(testbed.asked):
            if name == testbed.asked.node_name(host):
                return testbed, host
            if name == host:
                found.append((testbed, host))
    if len(found) == 1:
        return found[0]
    known = [each.asked.node_name(host) for each in known_testbeds() for host in hosts_of(each.asked)]
    raise TestbedError(
        f"{'no testbed has' if not found else 'several testbeds have'} a host {name}",
        f"name one of {', '.join(known)}." if known else "start one: tools/edge_testbed up FILE",
        MISUSED,
    )


def run_on(testbed: Testbed, host: str, command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Runs a command on a host from outside, with ``variables`` beside the environment of this process.

    Raises:
        TestbedError: when the testbed is not up, or has no such host.
    """
    own = {**variables, **host_variables(testbed), **device_variables(testbed, host)}
    if not testbed.asked.is_emulated:
        if host == HEAD:  # there is none beside real machines but this one
            return run_words(list(command), {**os.environ, **own})
        return run_words(remote_words(device_of(testbed, host), command, own), dict(os.environ))
    parts, holder = read_parts(testbed), holder_of(testbed)
    _limit(testbed, host)
    inside = Inside(
        holder=holder.pid,
        keeper=parts.keepers[host].shown,
        command=command,
        environment={**os.environ, **own},
        folder=str(Path.cwd()),
    )
    return run_inside(inside)


def become_agent(testbed: Testbed, name: str, words: Sequence[str]) -> NoReturn:
    """Becomes a command on a host, as ssh would run it: ``words`` are a line for a shell.

    This process is on a host of the testbed already, or the host is a real machine.

    Raises:
        TestbedError: when there is no such host.
    """
    device = device_of(testbed, name)
    own = {**host_variables(testbed), **device_variables(testbed, device.name)}
    line = " ".join(words)
    if device.host:
        become_remote(device, line, own)
    parts = read_parts(testbed)
    _limit(testbed, device.name)
    become_inside(parts.keepers[device.name].shown, [_SHELL, "-c", line], {**os.environ, **own})


def _limit(testbed: Testbed, host: str) -> None:
    """Holds this process, and what it starts, to the limits of a device."""
    if host == HEAD:
        return
    device = device_of(testbed, host)
    if device.name in testbed.groups:
        enter_group(testbed.groups[device.name])
    if device.cores:
        os.sched_setaffinity(0, device.cores)
