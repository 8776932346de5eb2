"""Analysis of many records: seconds and memory for 1 000, 10 000 and 100 000 of them.

A store of real files, each point completed, is read and analyzed in a process of its own, as `saih analyze`
does, on all cores: a grid of data and model sizes on one placement. Reading verifies every byte of every
record. The bars are for the analysis of records that are in memory, in the time that a user waits; reading
and the time of all processors are printed beside it. The last row has as many records on short lines (8 data
x 10 model sizes, many seeds), which have ten times as many trends.

    python -m benchmarks.analysis [--quick]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.orchestration_scale import peak_memory_bytes
from benchmarks.orchestration_store import NAME, write_store
from benchmarks.synthetic_sweep import Size, synthetic_records
from saih.analyzer.analysis import analyze
from saih.commands.side_by_side import side_by_side
from saih.domain.record import Record
from saih.store.sweep_folder import SweepFolder, read_records

SIZES, QUICK_SIZES = (1_000, 10_000, 100_000), (500, 2_000)
JUDGED, QUICK_JUDGED = 10_000, 2_000
LIMIT_S = 10.0
"""For ``JUDGED`` records; fewer get their share."""
LIMIT_BYTES = 2 * 2**30
MOST_GROWTH = 1.5
"""How much more a record may cost in the largest store than in the smallest: linear, with room for noise."""
_GRID = Size(data=8, model=10, ranks=1)
_SHORT = "short lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one number of records."""

    num_records: int
    num_trends: int
    reading_s: float
    analysis_s: float
    processor_s: float
    """Of the analysis, all processes together."""
    peak_bytes: int
    """Of all processes together, had they their peaks at one time and shared nothing."""


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer records")
    is_quick = parser.parse_args(arguments).quick
    print(
        f"{'records':>8} {'lines':<12} {'trends':>7} {'reading':>9} {'analysis':>9} {'its processors':>14} "
        f"{'peak':>9} {'its processors':>14}"
    )
    print(f"{'':>29}{'[s]':>9} {'[s]':>9} {'[s]':>14} {'[MB]':>9} {'[us/record]':>14}")
    found = {size: _grid(size) for size in (QUICK_SIZES if is_quick else SIZES)}
    judged = QUICK_JUDGED if is_quick else JUDGED
    short = _in_process(_SHORT, judged, Path())
    _tell("short", short)
    return 0 if all(_bars(found, judged, short)) else 1


def _bars(found: dict[int, Cost], judged: int, short: Cost) -> list[bool]:
    limit_s = LIMIT_S * judged / JUDGED
    own = found[judged]
    smallest, largest = found[min(found)], found[max(found)]
    growth = largest.processor_s / largest.num_records / (smallest.processor_s / smallest.num_records)
    print(f"reading and analysis of {judged} records: {own.reading_s + own.analysis_s:.1f} s")
    return [
        judge(f"analysis-of-{judged}", own.analysis_s, "s", "<", limit_s),
        judge(f"analysis-of-{judged}-short-lines", short.analysis_s, "s", "<", limit_s),
        judge(f"memory-of-{judged}", own.peak_bytes / 2**30, "GiB", "<", LIMIT_BYTES / 2**30),
        judge("growth-per-record", growth, "x", "<=", MOST_GROWTH),
    ]


def _grid(num_records: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="saih-analysis-") as folder:
        write_store(Path(folder), num_records)
        cost = _in_process("grid", num_records, Path(folder))
    _tell("grid", cost)
    return cost


def _tell(lines: str, cost: Cost) -> None:
    print(
        f"{cost.num_records:>8} {lines:<12} {cost.num_trends:>7} {cost.reading_s:>9.2f} "
        f"{cost.analysis_s:>9.2f} {cost.processor_s:>14.2f} {cost.peak_bytes / 1e6:>9.0f} "
        f"{1e6 * cost.processor_s / cost.num_records:>14.0f}",
        flush=True,
    )


def _in_process(task: str, num_records: int, root: Path) -> Cost:
    command = [sys.executable, "-m", "benchmarks.analysis", "--task", task, str(num_records), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def _work(task: str, num_records: int, root: Path) -> Cost:
    """Read and analyze, in this process and those that it begins."""
    begun_s = time.perf_counter()
    records = _short_lines(num_records) if task == _SHORT else _stored(root)
    read_s, read_processor_s = time.perf_counter(), _processor_s()
    analysis = analyze(records[0].sweep_name, records, (), (), len(records), each=side_by_side)
    analysis_s = time.perf_counter() - read_s
    if len(analysis.points) + len(analysis.failed) != len(records):
        raise RuntimeError(f"{len(analysis.points)} of {len(records)} points were analyzed")
    return Cost(
        num_records=len(records),
        num_trends=len(analysis.trends),
        reading_s=0.0 if task == _SHORT else read_s - begun_s,
        analysis_s=analysis_s,
        processor_s=_processor_s() - read_processor_s,
        peak_bytes=peak_memory_bytes() + len(os.sched_getaffinity(0)) * _greatest_child_bytes(),
    )


def _processor_s() -> float:
    """Of this process and those of its children that ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _greatest_child_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024  # Linux counts in KiB


def _stored(root: Path) -> Sequence[Record]:
    return read_records(SweepFolder(root, NAME))[0]


def _short_lines(num_records: int) -> Sequence[Record]:
    records: list[Record] = []
    while len(records) < num_records:
        records += synthetic_records(_GRID, seed=1 + len(records))
    return records[:num_records]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--task"]:
        print(json.dumps(asdict(_work(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))))
    else:
        sys.exit(main(sys.argv[1:]))
