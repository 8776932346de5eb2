"""Analysis of many records: seconds and memory for 1 000, 10 000 and 100 000 of them.

A store of real files, each point completed, is read and analyzed in a process of its own, as `saih analyze`
does: a grid of data and model sizes on one placement. Reading verifies every byte of every record. The bars
are for the analysis of records that are in memory; reading is printed beside it. The last row has as many
records on short lines (8 data x 10 model sizes, many seeds), which have ten times as many trends.

    python -m benchmarks.analysis [--quick]
"""

import argparse
import json
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
    """Of one number of records, in seconds of the processor and bytes."""

    num_records: int
    num_trends: int
    reading_s: float
    analysis_s: float
    wall_s: float
    peak_bytes: int


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer records")
    is_quick = parser.parse_args(arguments).quick
    print(
        f"{'records':>8} {'lines':<12} {'trends':>7} {'reading':>9} {'analysis':>9} {'both':>8} {'wall':>8} "
        f"{'peak':>9} {'analysis':>12}"
    )
    print(f"{'':>29}{'[s]':>9} {'[s]':>9} {'[s]':>8} {'[s]':>8} {'[MB]':>9} {'[us/record]':>12}")
    found = {size: _grid(size) for size in (QUICK_SIZES if is_quick else SIZES)}
    judged = QUICK_JUDGED if is_quick else JUDGED
    short = _in_process(_SHORT, judged, Path())
    _tell("short", short)
    return 0 if all(_bars(found, judged, short)) else 1


def _bars(found: dict[int, Cost], judged: int, short: Cost) -> list[bool]:
    limit_s = LIMIT_S * judged / JUDGED
    own = found[judged]
    smallest, largest = found[min(found)], found[max(found)]
    growth = largest.analysis_s / largest.num_records / (smallest.analysis_s / smallest.num_records)
    print(
        f"reading and analysis of {judged} records: {own.reading_s + own.analysis_s:.1f} s of the processor"
    )
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
    both = cost.reading_s + cost.analysis_s
    print(
        f"{cost.num_records:>8} {lines:<12} {cost.num_trends:>7} {cost.reading_s:>9.2f} "
        f"{cost.analysis_s:>9.2f} {both:>8.2f} {cost.wall_s:>8.2f} {cost.peak_bytes / 1e6:>9.0f} "
        f"{1e6 * cost.analysis_s / cost.num_records:>12.0f}",
        flush=True,
    )


def _in_process(task: str, num_records: int, root: Path) -> Cost:
    command = [sys.executable, "-m", "benchmarks.analysis", "--task", task, str(num_records), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Cost(**json.loads(done.stdout))


def _work(task: str, num_records: int, root: Path) -> Cost:
    """Read and analyze, in this process alone."""
    begun_s, begun_processor_s = time.perf_counter(), time.process_time()
    records = _short_lines(num_records) if task == _SHORT else _stored(root)
    read_s = time.process_time()
    analysis = analyze(records[0].sweep_name, records, (), (), len(records))
    analysis_s = time.process_time() - read_s
    wall_s = time.perf_counter() - begun_s
    if len(analysis.points) + len(analysis.failed) != len(records):
        raise RuntimeError(f"{len(analysis.points)} of {len(records)} points were analyzed")
    return Cost(
        num_records=len(records),
        num_trends=len(analysis.trends),
        reading_s=0.0 if task == _SHORT else read_s - begun_processor_s,
        analysis_s=analysis_s,
        wall_s=wall_s,
        peak_bytes=peak_memory_bytes(),
    )


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
