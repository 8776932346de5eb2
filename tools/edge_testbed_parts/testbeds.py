"""Starting a testbed, changing it while it is used, and removing it with all that it left."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.edge_testbed_parts import run_folder
from tools.edge_testbed_parts.control_groups import Group, make_group, plan_groups, remove_groups
from tools.edge_testbed_parts.errors import MISSING, MISUSED, TestbedError
from tools.edge_testbed_parts.facts import facts_of
from tools.edge_testbed_parts.hosts import host_variables
from tools.edge_testbed_parts.namespaces import own_words
from tools.edge_testbed_parts.network import hosts_of
from tools.edge_testbed_parts.parts import HOLDER, is_up, not_up
from tools.edge_testbed_parts.remote import require_reachable
from tools.edge_testbed_parts.run_folder import Testbed, open_testbed, remove_folder, write_down
from tools.edge_testbed_parts.specification import HEAD, Specification
from tools.edge_testbed_parts.specification_file import (
    available_cores,
    check_machine,
    machine_memory_bytes,
)
from tools.slurm_cluster_parts.processes import all_processes, kill, spawn, wait_until

TOOL = Path(__file__).resolve().parents[1] / "edge_testbed"
_PROGRAMS = ("ip", "tc", "unshare", "nsenter")
_PATIENCE_S = 60.0
_AGENT = """\
#!/bin/sh
# Runs a command on a host of the testbed, as launchers call ssh: HOST WORDS...
exec {python} {tool} agent {folder} "$@"
"""
_SITE = """\
# A site file for saih: ranks start on the devices of the testbed {name}.
name: {node}
scheduler: local
testbed: {description}
"""


def up(asked: Specification) -> Testbed:
    """A running testbed; what an earlier one of that name left is removed before.

    Raises:
        TestbedError: when something is missing, taken or refused; nothing is left then.
    """
    if asked.is_emulated:
        _require_programs()
        check_machine(asked, available_cores(), machine_memory_bytes())
    else:
        require_reachable(asked)
    with run_folder.only_one():
        folder = run_folder.all_folders() / asked.name
        if (folder / run_folder.DESCRIPTION).exists():
            _clear_if_down(open_testbed(folder))
        testbed = _planned(asked, folder)
        try:
            _make(testbed)
        except BaseException:
            clear(testbed)
            raise
    return testbed


def down(testbed: Testbed) -> None:
    """Ends all that a testbed started and removes what it made, wherever it was cut off."""
    with run_folder.only_one():
        if testbed.folder.exists():
            clear(testbed)


def clear(testbed: Testbed) -> None:
    """Removes a testbed; nobody else may change it meanwhile."""
    processes = all_processes(testbed.records)
    for process in processes:
        kill(process)
    if living := [process.pid for process in processes if process.is_alive]:
        raise TestbedError(f"process {living[0]} does not end", "see what it waits for, then try again.")
    # A process that is about to enter finds no testbed, and its group is emptied before it is removed.
    remove_groups(list(testbed.groups.values()))
    remove_folder(testbed)


def tell(testbed: Testbed) -> None:
    """Writes the description, with what others need to start processes on its hosts."""
    asked = testbed.asked
    launch: Sequence[str] = ()
    if asked.is_emulated:
        launch = (sys.executable, str(TOOL), "enter", asked.node_name(HEAD), "--")
    told: Mapping[str, object] = {
        "name": asked.name,
        "mode": asked.mode,
        "facts": facts_of(asked),
        "nodes": [asked.node_name(name) for name in asked.names],
        "launch": list(launch),
        "agent": str(testbed.agent),
        "check": [sys.executable, str(TOOL), "status", asked.name, "--quiet"],
        "variables": dict(host_variables(testbed)),
    }
    write_down(testbed, told)


def _planned(asked: Specification, folder: Path) -> Testbed:
    """The testbed, written down with all that it is going to make."""
    top = f"saih-edge-{os.geteuid()}-{asked.name}"
    groups = _planned_groups(asked, top) if asked.is_emulated else {}
    testbed = Testbed(folder=folder, asked=asked, groups=groups)
    folder.mkdir(exist_ok=True, mode=0o700)
    tell(testbed)
    return testbed


def _planned_groups(asked: Specification, top: str) -> Mapping[str, Group]:
    """Every device has a group, so that limits can be set later; without limits it may do without."""
    try:
        return plan_groups(top, asked.names)
    except TestbedError:
        if any(device.quota or device.memory_bytes for device in asked.devices):
            raise
        return {}


def _make(testbed: Testbed) -> None:
    asked = testbed.asked
    words = {"python": sys.executable, "tool": str(TOOL), "folder": str(testbed.folder)}
    testbed.agent.write_text(_AGENT.format(**{key: shlex.quote(word) for key, word in words.items()}))
    testbed.agent.chmod(0o700)
    description = testbed.folder / run_folder.DESCRIPTION
    node = f"edge-{asked.name}"
    site = _SITE.format(name=asked.name, node=node, description=description)
    (testbed.folder / run_folder.SITE).write_text(site)
    if not asked.is_emulated:
        return
    for host in hosts_of(asked):
        testbed.temporary(host).mkdir(parents=True, exist_ok=True)
    for device in asked.devices:
        if device.name in testbed.groups:
            make_group(testbed.groups[device.name], device.quota, device.memory_bytes)
    command = [*own_words(), sys.executable, str(TOOL), "hold", str(testbed.folder)]
    holder = spawn(testbed.records, HOLDER, command, search_path(), testbed.log)
    wait_until(lambda: testbed.keepers.exists() or not holder.is_alive, _PATIENCE_S, step_s=0.01)
    if not is_up(testbed):
        raise not_up(testbed)


def search_path() -> dict[str, str]:
    """The environment, with the folders of ``ip`` and ``tc`` in its PATH, which a user's often lacks."""
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"}


def _clear_if_down(testbed: Testbed) -> None:
    if testbed.asked.is_emulated and is_up(testbed):
        raise TestbedError(
            f"the testbed {testbed.asked.name} is up",
            f"use it, or end it: tools/edge_testbed down {testbed.asked.name}",
            MISUSED,
        )
    clear(testbed)


def _require_programs() -> None:
    path = search_path()["PATH"]
    if missing := [name for name in _PROGRAMS if shutil.which(name, path=path) is None]:
        raise TestbedError(
            f"this machine lacks {', '.join(missing)}",
            "install iproute2 and util-linux, or name real machines by host.",
            MISSING,
        )
