"""Changing a testbed while it is used: rates, delays, processor time, memory and cable of one device."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tools.edge_testbed_parts import run_folder
from tools.edge_testbed_parts.control_groups import set_memory, set_quota
from tools.edge_testbed_parts.errors import MISUSED, TestbedError
from tools.edge_testbed_parts.holder import write_delays
from tools.edge_testbed_parts.hosts import device_of
from tools.edge_testbed_parts.namespaces import run_in_whole
from tools.edge_testbed_parts.network import limit_links, set_cable
from tools.edge_testbed_parts.parts import SWITCH, Parts, holder_of, read_parts
from tools.edge_testbed_parts.run_folder import Testbed
from tools.edge_testbed_parts.specification import Device, Link, Specification
from tools.edge_testbed_parts.specification_file import (
    available_cores,
    check_machine,
    check_pairs,
    machine_memory_bytes,
)
from tools.edge_testbed_parts.testbeds import tell

_PATIENCE_S = 10.0
_STEP_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a device is to have from now on; what is not named stays."""

    link: Callable[[Link], Link]
    device: Callable[[Device], Device]


def change(testbed: Testbed, name: str, wanted: Change) -> Testbed:
    """The testbed with another device and link; it holds once this returns.

    Raises:
        TestbedError: when it is not up, cannot be so, or the kernel refuses.
    """
    device = device_of(testbed, name)
    if device.host:
        raise TestbedError(
            f"{device.name} is a real machine", "change its link or speed there, then measure.", MISUSED
        )
    with run_folder.only_one():
        parts, asked = read_parts(testbed), _changed(testbed.asked, device, wanted)
        _check(testbed, asked, device, parts)
        # Cut off here, the description says that nobody knows what holds.
        tell(run_folder.changing(testbed, asked))
        done = run_folder.changed(run_folder.changing(testbed, asked))
        _apply(done, device.name, parts)
        tell(done)
    return done


def set_cables(testbed: Testbed, name: str, state: str) -> None:
    """Cuts a device off (``down``) or connects it again (``up``); its processes go on.

    Raises:
        TestbedError: when the testbed is not up, or the kernel refuses.
    """
    device = device_of(testbed, name)
    holder = holder_of(testbed)
    if run_in_whole(holder.pid, lambda: set_cable(testbed.asked, device.name, state)):
        raise TestbedError(f"the cable of {device.name} was not set {state}", "see the lines above.")


def _changed(asked: Specification, device: Device, wanted: Change) -> Specification:
    place = asked.names.index(device.name)
    devices, links = list(asked.devices), list(asked.links)
    devices[place], links[place] = wanted.device(devices[place]), wanted.link(links[place])
    return replace(asked, devices=tuple(devices), links=tuple(links))


def _check(testbed: Testbed, asked: Specification, device: Device, parts: Parts) -> None:
    check_machine(asked, available_cores(), machine_memory_bytes())
    check_pairs(asked)
    place = asked.names.index(device.name)
    if asked.devices[place] != device and device.name not in testbed.groups:
        raise TestbedError(
            f"{device.name} has no control group, as this user may make none",
            "be root, or ask for a delegated control group, and start the testbed again.",
            MISUSED,
        )
    if parts.delays_by == "none" and asked.has_delays:
        raise TestbedError(
            f"{asked.name} was started without delays, and the kernel has no netem",
            "write a delay, such as 1 us, for a link in its file, and start it again.",
            MISUSED,
        )


def _apply(testbed: Testbed, name: str, parts: Parts) -> None:
    asked = testbed.asked
    device = asked.devices[asked.names.index(name)]
    if name in testbed.groups:
        set_quota(testbed.groups[name], device.quota)
        set_memory(testbed.groups[name], device.memory_bytes)
    if run_in_whole(holder_of(testbed).pid, lambda: _apply_inside(testbed, name, parts)):
        raise TestbedError(
            f"the link of {name} was not changed", "see the lines above; start the testbed again."
        )


def _apply_inside(testbed: Testbed, name: str, parts: Parts) -> None:
    limit_links(testbed.asked, parts.keepers, devices=[name], delays_by=parts.delays_by, is_new=False)
    if parts.delays_by != "switch":
        return
    number = 1 + json.loads(testbed.delays.read_text())["number"]
    write_delays(testbed, number)
    os.kill(parts.parts[SWITCH].pid, signal.SIGHUP)
    deadline = time.monotonic() + _PATIENCE_S
    while testbed.delays_applied.read_text() != str(number):
        if time.monotonic() > deadline:
            raise TestbedError("the switch does not take its delays", "start the testbed again.")
        time.sleep(_STEP_S)
