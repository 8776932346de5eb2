"""The first process of a testbed: makes hosts, switch and cables, keeps them, and takes all along."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.edge_testbed_parts.delay_switch import serve
from tools.edge_testbed_parts.errors import TestbedError
from tools.edge_testbed_parts.namespaces import (
    become_host,
    die_with_parent,
    mount,
    show_own_processes,
    shown_number,
)
from tools.edge_testbed_parts.network import (
    address_of,
    connect,
    has_netem,
    hosts_of,
    limit_links,
    port_of,
)
from tools.edge_testbed_parts.parts import SWITCH, DelaysBy, Part, record_self, write_parts
from tools.edge_testbed_parts.run_folder import Testbed, open_testbed, write_whole
from tools.edge_testbed_parts.specification import HEAD

_MS_BIND = 4096
_STEP_S = 0.002
_PATIENCE_S = 30.0


def hold(folder: Path) -> int:
    """Makes the testbed of a run folder and waits; returns, and all ends, once a part of it ended."""
    signal.signal(signal.SIGTERM, _ended)
    die_with_parent()
    testbed = open_testbed(folder)
    asked = testbed.asked
    record_self(testbed)
    show_own_processes()
    _name_hosts(testbed)
    keepers = {host: _keeper(testbed, host) for host in hosts_of(asked)}
    kernel_delays = has_netem(asked)
    by_bridge = kernel_delays or not asked.has_delays
    connect(asked, keepers, by_bridge=by_bridge)
    delays_by: DelaysBy = "switch" if not by_bridge else "netem" if kernel_delays else "none"
    limit_links(asked, keepers, devices=asked.names, delays_by=delays_by, is_new=True)
    parts = keepers if by_bridge else {**keepers, SWITCH: _switch(testbed)}
    write_parts(testbed, parts, delays_by)
    return _wait(parts)


def write_delays(testbed: Testbed, number: int) -> None:
    """Tells the switch, by a file, delays from each host to each, and rates; the head has neither."""
    asked, hosts = testbed.asked, hosts_of(testbed.asked)

    def delay_s(source: str, target: str) -> float:
        is_free = source == target or HEAD in {source, target}
        return 0.0 if is_free else asked.delay_ns(source, target) / 1e9

    delays = [[delay_s(source, target) for target in hosts] for source in hosts]
    up = [link.up_bit_per_s for link in asked.links]
    down = [link.down_bit_per_s for link in asked.links]
    told = {
        "number": number,
        "delays_s": delays,
        "up": [0.0, *(8 / rate if rate else 0.0 for rate in up)],
        "down": [0.0, *(8 / rate if rate else 0.0 for rate in down)],
    }
    write_whole(testbed.delays, json.dumps(told) + "\n")


def _ended(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _name_hosts(testbed: Testbed) -> None:
    """Lets all hosts find each other by name; outside of the testbed nothing changes."""
    names = [
        f"{address_of(testbed.asked, host)} {testbed.asked.node_name(host)} {host}"
        for host in hosts_of(testbed.asked)
    ]
    path = testbed.folder / "names"
    path.write_text("\n".join(["127.0.0.1 localhost", *names]) + "\n")
    mount(str(path), "/etc/hosts", "none", _MS_BIND)


def _keeper(testbed: Testbed, host: str) -> Part:
    """A process that keeps a host, once the host is there."""
    reader, writer = os.pipe()

    def keep() -> None:
        become_host(testbed.asked.node_name(host))
        with suppress(OSError):  # its own traffic would go over the links
            Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
        with suppress(OSError):  # programs of two hosts may give their shared memory one name
            mount("none", "/dev/shm", "tmpfs", data="mode=1777")  # noqa: S108 - a mount, not a file
        os.write(writer, str(shown_number()).encode())
        os.close(writer)
        while True:
            signal.pause()

    pid = _child(keep)
    os.close(writer)
    with os.fdopen(reader) as told:
        number = told.read()
    if not number:
        raise TestbedError(f"the host {host} could not be made", "see the lines above.")
    return Part(pid=pid, shown=int(number))


def _switch(testbed: Testbed) -> Part:
    """The switch that delays, once it works."""
    ports = [port_of(testbed.asked, host) for host in hosts_of(testbed.asked)]
    write_delays(testbed, 0)
    pid = _child(lambda: serve(ports, testbed.delays, testbed.delays_applied))
    deadline = time.monotonic() + _PATIENCE_S
    while not testbed.delays_applied.exists():
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise TestbedError("the switch that delays frames does not work", "see the lines above.")
        time.sleep(_STEP_S)
    return Part(pid=pid, shown=pid)


def _child(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
    except BaseException as error:
        sys.stderr.write(f"edge_testbed: {error!r}\n")
    os._exit(1)


def _wait(parts: Mapping[str, Part]) -> int:
    """Collects what ends in this process namespace; one of the parts ends everything."""
    own = {part.pid: name for name, part in parts.items()}
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid in own:
            sys.stderr.write(
                f"edge_testbed: {own[pid]} ended ({os.waitstatus_to_exitcode(status)}): all ends\n"
            )
            return 1
