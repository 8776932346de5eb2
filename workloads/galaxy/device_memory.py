"""How much memory this device has left for tensors: of the machine, and of its control group."""

import resource
from pathlib import Path

_PROC = Path("/proc")
_GROUPS = Path("/sys/fs/cgroup")
_KIB = 1024
_KEPT = 0.9
"""Of what is free: the rest is for buffers of sockets and whatever else the program needs."""


def free_bytes(
    num_sharing: int = 1,
    *,
    limit_bytes: int | None = None,
    is_group_own: bool = False,
    proc: Path = _PROC,
    groups: Path = _GROUPS,
) -> int:
    """Bytes that tensors of this program may take, where ``num_sharing`` such programs share the machine.

    They share the control group's limit too, unless ``is_group_own``; ``limit_bytes`` is for this program
    alone. Of both limits, what it takes already is gone. 0 where the system does not tell.
    """
    num_sharing = max(num_sharing, 1)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
    limits = [limit_bytes] if limit_bytes is not None else []
    group_limit = _group_limit(proc, groups)
    if group_limit is not None:
        limits.append(group_limit if is_group_own else group_limit // num_sharing)
    machine = _available_bytes(proc) // num_sharing
    return round(min([machine, *(max(0, limit - taken) for limit in limits)]) * _KEPT)


def _available_bytes(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * _KIB
    return 0


def _group_limit(proc: Path, groups: Path) -> int | None:
    """The least limit on the way from this program's control group to the root; None without any."""
    limits = []
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = groups / "memory" if controllers else groups
        file_name = "memory.limit_in_bytes" if controllers else "memory.max"
        folder = root / path.strip("/")
        limits += [
            _limit(above / file_name) for above in (folder, *folder.parents) if above.is_relative_to(root)
        ]
    return min((limit for limit in limits if limit is not None), default=None)


def _limit(path: Path) -> int | None:
    """The number in a file of limits; None where it is absent or says that there is none."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None
