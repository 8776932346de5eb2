"""Fuzzing the readers of samples: processes that may crash, hang or ask for memory, and are counted then."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.generation_fuzz_worker import CASE_LIMIT_S, MEMORY_BYTES
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, seal

READERS = ("tfrecord", "hdf5", "dataset")
_START_LIMIT_S = 60
_MOST_DEATHS = 20


@dataclass(slots=True, kw_only=True)
class Fuzzed:
    """What became of the changed files that one reader was given."""

    reader: str
    outcomes: Counter[str] = field(default_factory=Counter)
    deaths: list[str] = field(default_factory=list)
    """How processes ended before their time, with what their last file was kept as."""
    peak_bytes: int = 0

    @property
    def num_cases(self) -> int:
        """Files that were read or refused."""
        return sum(self.outcomes.values())

    @property
    def faults(self) -> dict[str, int]:
        """Errors that are none of a reader's, and changes that were not found."""
        return {name: count for name, count in self.outcomes.items() if name.startswith("FAULT")}

    @property
    def num_hangs(self) -> int:
        """Processes that took longer than allowed for one file."""
        return sum("hang" in death for death in self.deaths)


def fuzz(reader: str, first_seed: int, seconds: float) -> Fuzzed:
    """Let a reader read changed files for so long; a process that dies is replaced by another.

    The files that ended one, or that were answered wrongly, stay in a temporary folder.
    """
    found = Fuzzed(reader=reader)
    keep = Path(tempfile.mkdtemp(prefix=f"saih-fuzz-{reader}-"))
    if reader == "dataset":
        _make_data_set(keep / "data")
    end_s, seed = time.monotonic() + seconds, first_seed
    while (left_s := end_s - time.monotonic()) > 0 and len(found.deaths) < _MOST_DEATHS:
        told = [json.loads(line) for line in _lines(reader, keep, seed, left_s, found)]
        for one in told:
            found.outcomes.update(one["outcomes"])
            found.peak_bytes = max(found.peak_bytes, one["peak_kib"] << 10)
        seed += len(told) + 1
    if not found.deaths and not found.faults:
        shutil.rmtree(keep)
    return found


def fuzzed_row(found: Fuzzed) -> tuple[str, ...]:
    """One line of the table."""
    return (
        found.reader,
        str(found.num_cases),
        str(found.outcomes["read"]),
        str(found.outcomes["refused"]),
        str(sum(found.faults.values())),
        str(len(found.deaths) - found.num_hangs),
        str(found.num_hangs),
        f"{found.peak_bytes / 2**20:.0f} MiB",
    )


HEADER = ("reader", "files", "read", "refused", "other errors", "crashes", "hangs", "peak memory")
LIMITS = f"{CASE_LIMIT_S} s a file, {MEMORY_BYTES >> 20} MiB of address space beside the interpreter's"


def _lines(reader: str, folder: Path, seed: int, seconds: float, found: Fuzzed) -> Iterator[str]:
    """The lines of one process; its death, if it has one, is noted."""
    command = [sys.executable, "-m", "benchmarks.generation_fuzz_worker"]
    with subprocess.Popen(
        [*command, reader, str(folder), str(seed), str(seconds)], stdout=subprocess.PIPE, text=True
    ) as process:
        yield from process.stdout or ()
        code = process.wait(_START_LIMIT_S)
    if code:
        name = "hang" if code == -signal.SIGALRM else f"exit code {code}"
        kept = folder / f"death-{len(found.deaths)}"
        if (folder / "case").exists():
            (folder / "case").rename(kept)
        found.deaths.append(f"{name} after seed {seed}: {kept}")


def _make_data_set(folder: Path) -> None:
    definition = DatasetDefinition(
        seed=1, num_samples=6, num_universes=2, resolution=8, simulation_side=16, num_steps=4,
        force_mesh_factor=1,
    )  # fmt: skip
    complete(definition, folder, 0, 1, lambda _: None)
    seal(definition, folder)
    for path in folder.glob("universes-*/*"):
        path.unlink()
