"""Generation killed with SIGKILL at random moments: what is left, and what the next run makes of it.

In turn one rank, two ranks that share each universe (either of them is killed), and two writers that know
nothing of each other are killed somewhere in the time that an undisturbed run takes, and started again on
what they left, until the data set is whole. Its files must then be, byte for byte, those of a run that
nobody disturbed. Whoever opens the data set between two kills must be refused.

    python -m benchmarks.generation_kills [--quick]
"""

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.forked_ranks import joined, started
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, DatasetError
from cosmology.generation import Resources, complete, is_complete, seal
from cosmology.slabs.memory import rank_memory_bytes

KILLS, QUICK_KILLS = 50, 24
CASES = ("one rank", "two ranks a universe", "two writers")
_LAUNCHER_PATIENCE_S = 1.0
DEFINITION = DatasetDefinition(
    seed=3,
    num_samples=12,
    num_universes=4,
    resolution=8,
    redshifts=(0.0, 1.0),
    simulation_side=16,
    num_steps=4,
    force_mesh_factor=1,
)


@dataclass(slots=True)
class Tally:
    """What came of the kills."""

    kills: Counter[str] = field(default_factory=Counter)
    """Moments at which somebody was killed, whether one or both of two."""
    ended_first: int = 0
    """Runs that were done before they were to be killed."""
    wholes: int = 0
    """Data sets that became whole after kills."""
    different: int = 0
    """Of these, those that are not those of an undisturbed run."""
    opened_halves: int = 0
    """Unfinished data sets that could be opened."""
    failures: int = 0
    """Writers that nobody killed and that ended with an error."""
    leftovers: int = 0
    """Files beside those of an undisturbed run."""


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer kills")
    num_kills = QUICK_KILLS if parser.parse_args(arguments).quick else KILLS
    chance, tally = random.Random(7), Tally()  # noqa: S311  # moments, not secrets
    with tempfile.TemporaryDirectory(prefix="saih-kills-") as temporary:
        root = Path(temporary)
        duration_s = min(_undisturbed_s(root / name) for name in ("first", "undisturbed"))
        expected = digests(root / "undisturbed")
        while tally.kills.total() < num_kills:
            folder = root / f"data-{tally.wholes}"
            _kill_until_whole(folder, duration_s, chance, tally)
            _compare(folder, expected, tally)
    for case in CASES:
        print(f"{tally.kills[case]:3d} moments of kills of {case}")
    print(
        f"an undisturbed run takes {duration_s:.2f} s; {tally.wholes} data sets became whole; "
        f"{tally.ended_first} runs ended before they were to be killed"
    )
    bars = (
        judge("moments of kills", tally.kills.total(), "", ">=", num_kills),
        judge("data sets that differ from an undisturbed one", tally.different, "", "<=", 0),
        judge("writers that fail unkilled", tally.failures, "", "<=", 0),
        judge("files left over", tally.leftovers, "", "<=", 0),
        judge("unfinished data sets that could be opened", tally.opened_halves, "", "<=", 0),
    )
    return 0 if all(bars) else 1


def _undisturbed_s(folder: Path) -> float:
    begin_s = time.perf_counter()
    started(_run_to_the_end, folder).join()
    return time.perf_counter() - begin_s


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _kill_until_whole(folder: Path, duration_s: float, chance: random.Random, tally: Tally) -> None:
    cases = cycle(chance.sample(CASES, len(CASES)))
    while not is_complete(DEFINITION, folder):
        case = next(cases)
        processes = _begun(case, folder)
        # A resumed run is shorter than an undisturbed one.
        time.sleep(chance.uniform(0.0, 0.6 * duration_s))
        if kill_some(processes, chance):
            tally.kills[case] += 1
        else:
            tally.ended_first += 1
        for process in processes:
            # A launcher ends the other ranks when one is gone; two writers are two jobs.
            process.join(_LAUNCHER_PATIENCE_S if case == "two ranks a universe" else None)
            process.kill()
            process.join()
            tally.failures += (process.exitcode or 0) > 0 and case != "two ranks a universe"
        if not is_complete(DEFINITION, folder):
            tally.opened_halves += _can_be_opened(folder)


def kill_some(processes: Sequence[BaseProcess], chance: random.Random) -> bool:
    """Kill one or more of those that are still at work; whether there were any."""
    victims = [process for process in processes if process.is_alive()]
    for victim in chance.sample(victims, chance.randint(1, len(victims))) if victims else ():
        os.kill(victim.pid or 0, signal.SIGKILL)
    return bool(victims)


def _begun(case: str, folder: Path) -> list[BaseProcess]:
    if case == "one rank":
        return [started(_run_to_the_end, folder)]
    if case == "two writers":
        return [started(_run_to_the_end, folder) for _ in range(2)]
    meeting = Path(tempfile.mkdtemp(dir=folder.parent, prefix="meeting-")) / "file"
    return [started(_run_together, rank, meeting, folder) for rank in range(2)]


def _run_to_the_end(folder: Path) -> None:
    complete(DEFINITION, folder, 0, 1, _silent)
    seal(DEFINITION, folder)


def _run_together(rank: int, meeting: Path, folder: Path) -> None:
    crew = joined(rank, 2, meeting)
    memory_bytes = rank_memory_bytes(DEFINITION.universes, 2)
    resources = Resources(memory_bytes=memory_bytes, join=lambda _: crew.group)
    complete(DEFINITION, folder, rank, 2, _silent, resources=resources)
    if rank == 0:
        seal(DEFINITION, folder)
    os._exit(0)  # gloo would wait for a rank that was killed


def _can_be_opened(folder: Path) -> bool:
    try:
        open_dataset(DEFINITION, folder).close()
    except DatasetError:
        return False
    return True


def _compare(folder: Path, expected: dict[str, str], tally: Tally) -> None:
    found = digests(folder)
    tally.wholes += 1
    tally.different += any(found.get(name) != digest for name, digest in expected.items())
    tally.leftovers += len(set(found) - set(expected))


def _silent(_: str) -> None:
    """Progress for nobody."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
