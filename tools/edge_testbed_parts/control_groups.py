"""Processor time and memory of devices, by control groups of version 1 or 2.

Documentation/scheduler/sched-bwc.rst and Documentation/admin-guide/{cgroup-v1/memory,cgroup-v2}.rst of Linux.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.edge_testbed_parts.errors import MISSING, TestbedError

_TOP = Path("/sys/fs/cgroup")
_PERIOD_US = 10_000
"""Short, so that a device does not stand still for long; a period of 100 ms made stalls of 10 to 37 ms."""
_LEAST_QUOTA_US = 1_000
_MOST_PERIOD_US = 1_000_000
_PATIENCE_S = 10.0
_STEP_S = 0.02
_NO_MEMORY_LIMIT = {1: "-1", 2: "max"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The folders of one device's group; in version 2 both are the same."""

    version: int
    cpu: str
    memory: str

    @property
    def folders(self) -> tuple[Path, ...]:
        """Each once."""
        return tuple(Path(path) for path in dict.fromkeys((self.cpu, self.memory)))


def plan_groups(name: str, devices: Iterable[str]) -> dict[str, Group]:
    """Where the groups of a testbed's devices go; nothing is made yet.

    Raises:
        TestbedError: where this user may make none.
    """
    version, cpu, memory = _parents()
    return {
        device: Group(version=version, cpu=str(cpu / name / device), memory=str(memory / name / device))
        for device in devices
    }


def make_group(group: Group, quota: float | None, memory_bytes: int | None) -> None:
    """Makes a group and sets its limits.

    Raises:
        TestbedError: where the kernel refuses.
    """
    for folder in group.folders:
        try:
            folder.parent.mkdir(exist_ok=True)
            if group.version == 2:
                _write(folder.parent / "cgroup.subtree_control", "+cpu +memory")
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise TestbedError(
                f"the control group {folder} cannot be made: {error.strerror}", "be root, or see the docs."
            ) from error
    set_quota(group, quota)
    set_memory(group, memory_bytes)


def set_quota(group: Group, quota: float | None) -> None:
    """Lets a group have the time of so many cores; None: no limit."""
    folder = Path(group.cpu)
    if group.version == 2:
        period, share = _period_and_quota_us(quota) if quota else (_PERIOD_US, None)
        _write(folder / "cpu.max", f"{'max' if share is None else share} {period}")
        return
    if quota is None:
        _write(folder / "cpu.cfs_quota_us", "-1")
        return
    period, share = _period_and_quota_us(quota)
    # Without a quota first: period and quota are set apart, and the kernel checks them together.
    _write(folder / "cpu.cfs_quota_us", "-1")
    _write(folder / "cpu.cfs_period_us", str(period))
    _write(folder / "cpu.cfs_quota_us", str(share))


def set_memory(group: Group, memory_bytes: int | None) -> None:
    """Lets a group have so much memory, and no swap beside it."""
    folder = Path(group.memory)
    text = _NO_MEMORY_LIMIT[group.version] if memory_bytes is None else str(memory_bytes)
    if group.version == 2:
        _write(folder / "memory.max", text)
        if memory_bytes is not None and (folder / "memory.swap.max").exists():
            _write(folder / "memory.swap.max", "0")
        return
    swap = folder / "memory.memsw.limit_in_bytes"
    if swap.exists():  # never below the other one, so it is opened first
        _write(swap, "-1")
    _write(folder / "memory.limit_in_bytes", text)
    if memory_bytes is not None and swap.exists():
        _write(swap, text)


def enter_group(group: Group) -> None:
    """Moves this process into a group; what it starts will be in it too."""
    for folder in group.folders:
        _write(folder / "cgroup.procs", "0")


def peak_memory_bytes(group: Group) -> int | None:
    """The most memory that a group ever held; None where the kernel does not say."""
    name = "memory.peak" if group.version == 2 else "memory.max_usage_in_bytes"
    return _number(Path(group.memory) / name)


def forget_peak(group: Group) -> bool:
    """Counts the peak from now on; False where the kernel cannot."""
    name = "memory.peak" if group.version == 2 else "memory.max_usage_in_bytes"
    try:
        _write(Path(group.memory) / name, "0")
    except TestbedError:
        return False
    return True


def throttled_ns(group: Group) -> int | None:
    """How long a group wanted to run and was not let."""
    names = {"throttled_time": 1, "throttled_usec": 1000}
    with suppress(OSError, ValueError):
        for line in (Path(group.cpu) / "cpu.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name in names:
                return int(value) * names[name]
    return None


def remove_groups(groups: Sequence[Group]) -> None:
    """Ends what is in these groups, and removes them with the folder above them.

    Raises:
        TestbedError: when a process in them cannot be ended.
    """
    folders = [folder for group in groups for folder in group.folders]
    for folder in folders:
        _remove(folder)
    for parent in dict.fromkeys(folder.parent for folder in folders):
        _remove(parent)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:  # busy: somebody is in it
            if time.monotonic() > deadline:
                raise TestbedError(
                    f"{folder} cannot be removed: {error.strerror}", "end what is in it by hand."
                ) from error
            _end_members(folder)
            time.sleep(_STEP_S)
        else:
            return


def _end_members(folder: Path) -> None:
    with suppress(OSError):
        for word in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(word), signal.SIGKILL)


def _period_and_quota_us(quota: float) -> tuple[int, int]:
    """The kernel takes no quota below 1 ms, so a small part needs a longer period."""
    period = max(_PERIOD_US, round(_LEAST_QUOTA_US / quota + 0.5))
    if period > _MOST_PERIOD_US:
        raise TestbedError(f"a quota of {quota:g} cores is too small", "write 0.01 or more.")
    return period, max(_LEAST_QUOTA_US, round(period * quota))


def _parents() -> tuple[int, Path, Path]:
    """Version, and the folders in which groups for processors and memory may be made."""
    if _is_unified():
        for folder in _unified_candidates():
            if _may_hold_groups(folder):
                return 2, folder, folder
        raise _refusal(f"no control group of version 2 under {_TOP} takes groups with cpu and memory")
    found = [_version_1_parent(controller) for controller in ("cpu", "memory")]
    return 1, found[0], found[1]


def _is_unified() -> bool:
    return "cpu" in _words(_TOP / "cgroup.controllers")


def _unified_candidates() -> Iterator[Path]:
    """The group of this process and those above it: groups of groups may hold no processes themselves."""
    own = _own_path("")
    yield from (_TOP / path for path in (own, *own.parents) if (_TOP / path).is_dir())


def _may_hold_groups(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    control = folder / "cgroup.subtree_control"
    missing = {"cpu", "memory"} - _words(control)
    if missing:
        try:
            _write(control, " ".join(f"+{name}" for name in sorted(missing)))
        except TestbedError:
            return False
    return True


def _version_1_parent(controller: str) -> Path:
    mounted = _TOP / controller
    own = mounted / _own_path(controller)
    folder = own if own.is_dir() else mounted  # in a container, the mount shows a part of the tree only
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise _refusal(f"{folder} takes no groups of this user")
    return folder


def _own_path(controller: str) -> Path:
    """The group of this process, relative to the mount; ``controller`` is empty for version 2."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if (controller in names.split(",")) if controller else (number == "0" and not names):
            return Path(path.lstrip("/"))
    return Path()


def _words(path: Path) -> set[str]:
    with suppress(OSError):
        return set(path.read_text().split())
    return set()


def _number(path: Path) -> int | None:
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def _write(path: Path, text: str) -> None:
    """One write(2), whose error is seen: buffered files swallow what the kernel says.

    Raises:
        TestbedError: when the kernel refuses.
    """
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(opened, text.encode())
        finally:
            os.close(opened)
    except OSError as error:
        raise TestbedError(
            f"{path} does not take {text!r}: {error.strerror}", "see docs/edge-testbed.md, limits."
        ) from error


def _refusal(problem: str) -> TestbedError:
    return TestbedError(
        f"processor time and memory cannot be limited: {problem}",
        "be root, ask for a delegated control group, or leave out quota and memory (mode: paced).",
        MISSING,
    )
