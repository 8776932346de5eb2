"""Processes that a cluster started: written down by themselves, found again, and ended."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A process writes itself down before it becomes the program: whoever is killed in between, nobody is lost.
# Field 22 of stat is the start time; with it a number that was given to somebody else is told apart.
RECORD_AND_BECOME = r"""
records=$1 name=$2; shift 2
started() { shift 19; printf '%s' "$1"; }
read -r stat <"/proc/$$/stat"
printf '%s %s %s\n' "$name" "$$" "$(started ${stat##*) })" >>"$records" || exit 1
exec "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process that was started; ``start_ticks`` since boot tells it from a later one of that number."""

    name: str
    pid: int
    start_ticks: int

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; what only waits to be collected does not."""
        try:
            state, *rest = _stat(self.pid)
        except OSError:
            return False
        return state not in {"Z", "X"} and int(rest[18]) == self.start_ticks


def spawn(
    records: Path, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Process:
    """Starts ``command`` in the background, written down in ``records`` as ``name``."""
    wrapped = ["/bin/sh", "-c", RECORD_AND_BECOME, "sh", str(records), name, *command]
    with log.open("ab") as output:
        started = subprocess.Popen(
            wrapped,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    return Process(name=name, pid=started.pid, start_ticks=int(_stat(started.pid)[19]))


def read_processes(records: Path) -> dict[str, Process]:
    """The latest process of each name; a line that was cut off is not one."""
    found = {}
    lines = records.read_text().splitlines(keepends=True) if records.exists() else []
    for line in lines:
        words = line.split()
        if line.endswith("\n") and len(words) == 3:
            found[words[0]] = Process(name=words[0], pid=int(words[1]), start_ticks=int(words[2]))
    return found


def all_processes(records: Path) -> tuple[Process, ...]:
    """Every process that was ever written down, the first one first."""
    lines = records.read_text().splitlines() if records.exists() else []
    rows = [line.split() for line in lines]
    return tuple(
        Process(name=row[0], pid=int(row[1]), start_ticks=int(row[2])) for row in rows if len(row) == 3
    )


def end(process: Process, patience_s: float = 10.0) -> None:
    """Asks the process to end, and kills it when it has not after ``patience_s``."""
    if not process.is_alive:
        return
    _signal(process, signal.SIGTERM)
    if not wait_until(lambda: not process.is_alive, patience_s, step_s=0.02):
        kill(process)


def kill(process: Process) -> None:
    """SIGKILL, and waits until the process is gone."""
    _signal(process, signal.SIGKILL)
    wait_until(lambda: not process.is_alive, 10.0, step_s=0.01)


def kill_all(found: Iterable[int]) -> None:
    """SIGKILL for each of these process numbers."""
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def in_network_of(keeper: Process) -> tuple[int, ...]:
    """Numbers of all processes in the network namespace of ``keeper``, which must be alive."""
    network = Path(f"/proc/{keeper.pid}/ns/net").readlink()
    return tuple(pid for pid in _numbers() if _network(pid) == network)


def on_node(name: str, configuration: Path) -> tuple[int, ...]:
    """Numbers of all processes that Slurm started on this node, by what it told them in the environment."""
    wanted = {b"SLURMD_NODENAME=" + name.encode(), b"SLURM_CONF=" + os.fsencode(configuration)}
    return tuple(pid for pid in _numbers() if wanted <= _variables(pid))


def wait_until(is_so: Callable[[], object], patience_s: float, step_s: float = 0.1) -> bool:
    """Asks ``is_so()`` until it is, or ``patience_s`` have passed; gives the last answer."""
    deadline = time.monotonic() + patience_s
    while not (answer := bool(is_so())) and time.monotonic() < deadline:
        time.sleep(step_s)
    return answer


def _signal(process: Process, number: signal.Signals) -> None:
    if process.is_alive:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def _numbers() -> list[int]:
    own = os.getpid()
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if int(path.name) != own]


def _network(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/ns/net").readlink()
    except OSError:
        return None


def _variables(pid: int) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


def _stat(pid: int) -> list[str]:
    """Fields of ``/proc/PID/stat`` from the third, the state, on; the second may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
