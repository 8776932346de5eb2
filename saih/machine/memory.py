"""How much memory and disk a process of this machine may still take."""

import shutil
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from saih.machine.probe import text_of

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def available_memory_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int:
    """Memory that can still be taken on this node without swapping or being killed [bytes].

    The smaller of MemAvailable and what every control group above this process leaves; page cache that a
    group can give back counts as free.

    Raises:
        EnvironmentMissing: where the kernel does not say.
    """
    free = meminfo_bytes("MemAvailable", proc)
    if free is None:
        raise EnvironmentMissing(
            f"{proc / 'meminfo'} has no MemAvailable, so the free memory is unknown",
            "run on Linux 3.14 or newer, with /proc mounted.",
        )
    return max(0, min([free, *_group_free_bytes(proc, cgroup)]))


def memory_limit_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int | None:
    """The lowest memory limit of the control groups above this process [bytes]; None without one."""
    limits = [
        limit for folder, names in _groups(proc, cgroup) if (limit := _number(folder / names[0])) is not None
    ]
    total = meminfo_bytes("MemTotal", proc)
    # Version 1 writes "no limit" as a number near 2^63.
    real = [limit for limit in limits if total is None or limit < total]
    return min(real, default=None)


def meminfo_bytes(name: str, proc: Path = _PROC) -> int | None:
    """One line of /proc/meminfo [bytes]; None where it is absent."""
    for line in (text_of(proc / "meminfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key == name and value.split():
            return int(value.split()[0]) * 1024
    return None


def disk_free_bytes(path: Path) -> int:
    """Free space for an ordinary user where ``path`` is, or will be made [bytes]."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


_FilesOfGroup = tuple[str, str, str]
"""File names of the limit and the usage, and the reclaimable line of memory.stat."""
_VERSION_2: _FilesOfGroup = ("memory.max", "memory.current", "inactive_file")
_VERSION_1: _FilesOfGroup = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _groups(proc: Path, cgroup: Path) -> list[tuple[Path, _FilesOfGroup]]:
    """Every control group from this process up to the root, with the file names of its version."""
    found = []
    for line in (text_of(proc / "self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            top, names = cgroup, _VERSION_2
        elif "memory" in controllers.split(","):
            top, names = cgroup / "memory", _VERSION_1
        else:
            continue
        relative = Path(path.lstrip("/"))
        found += [(top / folder, names) for folder in (relative, *relative.parents)]
    return found


def _group_free_bytes(proc: Path, cgroup: Path) -> list[int]:
    free = []
    for folder, (limit_file, usage_file, reclaimable) in _groups(proc, cgroup):
        limit, usage = _number(folder / limit_file), _number(folder / usage_file)
        if limit is not None and usage is not None:
            free.append(limit - usage + _stat(folder / "memory.stat", reclaimable))
    return free


def _number(path: Path) -> int | None:
    text = text_of(path)
    return int(text) if text is not None and text.isdigit() else None


def _stat(path: Path, name: str) -> int:
    for line in (text_of(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
