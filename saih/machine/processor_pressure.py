"""What the kernel tells of others on the processors: pressure, quotas, stolen time, delays of threads.

Every reader gives None where the kernel does not tell. Sources: Documentation/accounting/psi.rst,
admin-guide/cgroup-v2.rst (cpu.stat), scheduler/sched-stats.rst, filesystems/proc.rst (/proc/stat).
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
_US = 1000
_STEAL_COLUMN = 8
_BUSY_COLUMNS = (1, 2, 3, 6, 7)
"""User, nice, system, interrupts and soft interrupts; guests are in the first."""


def some_pressure_ns(resource: str, proc: Path = PROC) -> int | None:
    """Time since the machine began in which some task waited for ``cpu`` or ``io`` [ns]."""
    for line in _lines(proc / "pressure" / resource):
        fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
        if line.startswith("some ") and fields.get("total", "").isdecimal():
            return int(fields["total"]) * _US
    return None


def stolen_ns(proc: Path = PROC) -> int | None:
    """Processor time that the host of this virtual machine gave to others, mean over processors [ns]."""
    lines = _lines(proc / "stat")
    fields = lines[0].split() if lines else []
    count = sum(line.startswith("cpu") for line in lines) - 1
    if len(fields) <= _STEAL_COLUMN or fields[0] != "cpu" or count < 1:
        return None
    ticks = int(fields[_STEAL_COLUMN]) if fields[_STEAL_COLUMN].isdecimal() else None
    return None if ticks is None else ticks * 10**9 // os.sysconf("SC_CLK_TCK") // count


def busy_ns(processors: Collection[int], proc: Path = PROC) -> int | None:
    """Time since the machine began for which these processors worked, whoever for, summed [ns].

    What the host of a virtual machine took away is not in it.
    """
    ticks = 0
    names = {f"cpu{number}" for number in processors}
    for line in _lines(proc / "stat"):
        fields = line.split()[:_STEAL_COLUMN]
        if len(fields) == _STEAL_COLUMN and fields[0] in names and all(map(str.isdecimal, fields[1:])):
            ticks += sum(int(fields[column]) for column in _BUSY_COLUMNS)
            names.remove(fields[0])
    return None if names or not processors else ticks * 10**9 // os.sysconf("SC_CLK_TCK")


def machine_id(proc: Path = PROC) -> str | None:
    """What tells the running machine, a node or a virtual machine, from all others."""
    lines = _lines(proc / "sys" / "kernel" / "random" / "boot_id")
    return lines[0] if lines else None


def throttled_ns(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """Time for which quotas held back the control group of this process, or one above it [ns].

    The largest over those groups; None where none has the processor controller. Version 1 and 2.
    """
    found = [value for folder in _groups(proc, groups) if (value := _throttled(folder)) is not None]
    return max(found, default=None)


def thread_times_ns(proc: Path = PROC) -> Mapping[int, tuple[int, int]]:
    """Each thread of this process: time on a processor and time ready to run without one [ns]."""
    found = {}
    try:
        numbers = [int(entry.name) for entry in os.scandir(proc / "self" / "task")]
    except (OSError, ValueError):
        return {}
    for number in numbers:
        fields = " ".join(_lines(proc / "self" / "task" / str(number) / "schedstat")).split()
        if len(fields) >= 2 and fields[0].isdecimal() and fields[1].isdecimal():
            found[number] = int(fields[0]), int(fields[1])
    return found


def _throttled(folder: Path) -> int | None:
    fields = dict(line.split(None, 1) for line in _lines(folder / "cpu.stat") if " " in line)
    for name, factor in (("throttled_usec", _US), ("throttled_time", 1)):
        text = fields.get(name, "")
        if text.isdecimal():
            return int(text) * factor
    return None


def _groups(proc: Path, groups: Path) -> Iterator[Path]:
    """The folders of the own groups that may have a quota, and those above them."""
    for line in _lines(proc / "self" / "cgroup"):
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not controllers:
            roots = [groups, groups / "unified"]
        elif "cpu" in controllers.split(","):
            roots = [groups / controllers, groups / "cpu"]
        else:
            continue
        parts = [part for part in path.split("/") if part and part != ".."]
        for root in roots:
            yield from (root.joinpath(*parts[:depth]) for depth in range(len(parts) + 1))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
