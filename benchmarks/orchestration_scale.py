"""How listing, planning, reading and analyzing grow with the points of a sweep, and rank 0 with the ranks.

Stores of completed points are real files in a temporary folder; each task runs in a process of its own, which
tells its time and peak memory: ``python -m benchmarks.orchestration_scale TASK POINTS FOLDER``.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.orchestration_store import NAME, sweep_of, write_store
from saih.analyzer.analysis import analyze
from saih.domain.limits import Limits
from saih.planner.plan import make_plan
from saih.store.attempt import read_environment
from saih.store.environment_guard import require_same_environment
from saih.store.files import remove_temporaries
from saih.store.state_index import NAME as CACHE_NAME
from saih.store.sweep_folder import SweepFolder, all_attempts, point_ids, point_states, read_records

SIZES, QUICK_SIZES = (1000, 10_000, 100_000), (500, 2000)
STATUS_LIMIT_S = 2.0
GROWTH_LIMIT = 2.0
"""How much more a point may cost in the largest store than in the smallest."""
NUM_RANKS = 8192
_SETTLED_S = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one task."""

    wall_s: float
    processor_s: float
    peak_bytes: int


def measure_sizes(sizes: Sequence[int], tell: Callable[[str], None]) -> dict[int, dict[str, Cost]]:
    """The cost of every task for every size."""
    found: dict[int, dict[str, Cost]] = {}
    tell(
        f"{'points':>8} {'task':<28} {'wall [s]':>9} {'processor [s]':>13} {'peak [MB]':>10} "
        f"{'us a point':>10}"
    )
    for num_points in sizes:
        with tempfile.TemporaryDirectory(prefix="saih-scale-") as name:
            begun_s = time.perf_counter()
            num_bytes = write_store(Path(name), num_points)
            tell(
                f"{num_points:>8} store of {num_bytes / 1e6:.0f} MB in {4 * num_points} files, written in "
                f"{time.perf_counter() - begun_s:.0f} s"
            )
            time.sleep(_SETTLED_S)
            found[num_points] = {}
            for task in TASKS:
                cost = _in_process(task, num_points, Path(name))
                found[num_points][task] = cost
                tell(
                    f"{num_points:>8} {task:<28} {cost.wall_s:>9.2f} {cost.processor_s:>13.2f} "
                    f"{cost.peak_bytes / 1e6:>10.0f} {1e6 * cost.processor_s / num_points:>10.1f}"
                )
    return found


def _in_process(task: str, num_points: int, root: Path) -> Cost:
    command = [sys.executable, "-m", "benchmarks.orchestration_scale", task, str(num_points), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def _states(num_points: int, root: Path) -> Callable[[], None]:
    folder = SweepFolder(root, NAME)
    ids = point_ids(folder)

    def work() -> None:
        if len(point_states(folder, ids)) != num_points:
            raise RuntimeError(f"not {num_points} points are listed")

    return work


def _states_anew(num_points: int, root: Path) -> Callable[[], None]:
    (root / NAME / CACHE_NAME).unlink(missing_ok=True)
    return _states(num_points, root)


def _status_command(num_points: int, root: Path) -> Callable[[], None]:
    program = Path(sys.executable).with_name("saih")
    command = [str(program), "status", NAME, "--results", str(root), "--data-folder", str(root)]

    def work() -> None:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
        _require(f"{num_points} completed" in said)

    return work


def _guard(num_points: int, root: Path) -> Callable[[], None]:
    folder = SweepFolder(root, NAME)
    environment = read_environment(next(all_attempts(folder)))

    def work() -> None:
        remove_temporaries(folder.path)
        require_same_environment(folder, environment)

    return work


def _plan(num_points: int, root: Path) -> Callable[[], None]:
    return lambda: _require(len(make_plan(sweep_of(num_points), Limits()).points) == num_points)


def _records(num_points: int, root: Path) -> Callable[[], None]:
    return lambda: _require(len(read_records(SweepFolder(root, NAME))[0]) == num_points)


def _analysis(num_points: int, root: Path) -> Callable[[], None]:
    records, _ = read_records(SweepFolder(root, NAME))
    return lambda: _require(len(analyze(NAME, records, (), (), num_points).points) == num_points)


TASKS: Mapping[str, Callable[[int, Path], Callable[[], None]]] = {
    "states, every byte": _states_anew,
    "states": _states,
    "saih status, whole command": _status_command,
    "before a sweep": _guard,
    "plan": _plan,
    "records": _records,
    "analysis of records": _analysis,
}
"""What is prepared outside the time is in the memory all the same."""


def measure_ranks(tell: Callable[[str], None], num_ranks: int = NUM_RANKS) -> Cost:
    """What rank 0 does with so many ranks, on numbers made up: seats, usage, a summary of steps, its file."""
    from benchmarks.orchestration_ranks import work_of_rank_0  # noqa: PLC0415 - torch is slow to load

    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun_s, begun_processor_s = time.perf_counter(), time.process_time()
    for name, spent_s in work_of_rank_0(num_ranks):
        tell(f"{num_ranks:>8} ranks: {name:<48} {1e3 * spent_s:>9.1f} ms on rank 0")
    return Cost(
        wall_s=time.perf_counter() - begun_s,
        processor_s=time.process_time() - begun_processor_s,
        peak_bytes=1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory),
    )


def _require(holds: bool) -> None:  # noqa: FBT001 - what is required
    if not holds:
        raise RuntimeError("the task did not give what it must")


def main(arguments: Sequence[str]) -> None:
    """Do one task and print what it cost."""
    task, num_points, root = arguments[0], int(arguments[1]), Path(arguments[2])
    work = TASKS[task](num_points, root)
    begun_s, begun_processor_s = time.perf_counter(), _processor_s()
    work()
    wall_s, processor_s = time.perf_counter() - begun_s, _processor_s() - begun_processor_s
    # What getrusage says of this process may be the peak of the one that started it.
    peak_bytes = max(peak_memory_bytes(), 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    print(json.dumps({"wall_s": wall_s, "processor_s": processor_s, "peak_bytes": peak_bytes}))


def peak_memory_bytes() -> int:
    """Peak resident memory of this process since it began."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _processor_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main(sys.argv[1:])
