"""Control groups of a benchmark, of both versions: made, limited, entered, and removed after any end.

A group outlives the processes in it. A janitor, a process in a session of its own, removes the groups when
the benchmark ends, however it ends.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 50_000
_PATIENCE_S = 60.0
PREFIX = "saih-outside-"
_V1_NAMES = {"cpu": "cpu", "io": "blkio"}


@contextmanager
def control_groups() -> Iterator[Mapping[str, str]]:
    """A group for each of ``cpu`` and ``io`` that this machine gives; removed after any end."""
    name = f"{PREFIX}{os.getpid()}"
    paths = {controller: _parent(controller) / name for controller in _V1_NAMES if _is_there(controller)}
    with _janitor([str(path) for path in dict.fromkeys(paths.values())]):
        made = {}
        for controller, path in paths.items():
            with suppress(OSError):
                path.mkdir(exist_ok=True)
                made[controller] = str(path)
        yield made


def limit_processors(group: str, num_processors: float) -> None:
    """Let the group use so many processors, or all for infinity."""
    is_free = num_processors == float("inf")
    if (file := Path(group, "cpu.max")).exists():
        quota = "max" if is_free else str(round(num_processors * _PERIOD_US))
        file.write_text(f"{quota} {_PERIOD_US}", encoding="ascii")
        return
    Path(group, "cpu.cfs_period_us").write_text(str(_PERIOD_US), encoding="ascii")
    quota = "-1" if is_free else str(round(num_processors * _PERIOD_US))
    Path(group, "cpu.cfs_quota_us").write_text(quota, encoding="ascii")


def limit_reading(group: str, device: str, bytes_per_s: float) -> None:
    """Let the group read so much from the device; all for infinity."""
    is_free = bytes_per_s == float("inf")
    if (file := Path(group, "io.max")).exists():
        file.write_text(f"{device} rbps={'max' if is_free else round(bytes_per_s)}", encoding="ascii")
        return
    rate = 0 if is_free else round(bytes_per_s)
    Path(group, "blkio.throttle.read_bps_device").write_text(f"{device} {rate}", encoding="ascii")


def enter(group: str) -> None:
    """Bring this process, with its threads, into the group."""
    Path(group, "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")


def remove(paths: list[str], patience_s: float = _PATIENCE_S) -> None:
    """Remove groups as soon as nobody is in them any more."""
    deadline = time.monotonic() + patience_s
    left = [Path(path) for path in paths]
    while left and time.monotonic() < deadline:
        for path in left:
            with suppress(OSError):
                path.rmdir()
        left = [path for path in left if path.exists()]
        if left:
            time.sleep(0.1)


def _parent(controller: str) -> Path:
    v1 = _ROOT / _V1_NAMES[controller]
    return v1 if v1.is_dir() else _ROOT


def _is_there(controller: str) -> bool:
    parent = _parent(controller)
    if parent != _ROOT:
        return os.access(parent, os.W_OK)
    try:
        given = (_ROOT / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return False
    return controller in given and os.access(_ROOT, os.W_OK)


@contextmanager
def _janitor(paths: list[str]) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.outside_groups", *paths]
    # In a session of its own: Ctrl-C is not for it. The end of its input tells it that the benchmark ended.
    janitor = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        if janitor.stdin:
            janitor.stdin.close()
        janitor.wait()


if __name__ == "__main__":
    sys.stdin.read()
    remove(sys.argv[1:])
