"""How long a report takes, and how much memory, by its number of points; how soon ``saih --help`` answers.

Every size runs in a process of its own, on a sweep that nobody ran (``synthetic_sweep``). The bar counts the
whole of that process by the clock on the wall: its start, the analysis, and the report as PDF and as HTML.
What else the machine does counts too: run it on a quiet one.

    python -m benchmarks.reports [--quick]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.synthetic_sweep import Size

SIZES = (
    Size(data=1, model=1, ranks=1),
    Size(data=3, model=4, ranks=1),
    Size(data=5, model=5, ranks=4),
    Size(data=6, model=10, ranks=7),
)
"""Of the last one, 413 points are measured and 7 fail."""
MOST_S, MOST_BYTES = 20.0, 2**30
MOST_HTML_BYTES = 5_000_000
MOST_HELP_S = 0.3
NUM_HELPS = 5
MOST_PAGES = 45
"""Of the largest report: more is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one report took, and what came of it."""

    num_points: int
    all_s: float
    """Of the whole process, by the clock on the wall."""
    processor_s: float
    """The same in processor time of all its threads."""
    pdf_s: float
    html_s: float
    pdf_bytes: int
    html_bytes: int
    num_pages: int
    peak_bytes: int


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smallest and the largest sweep only")
    sizes = (SIZES[0], SIZES[-1]) if parser.parse_args(arguments).quick else SIZES
    print("points    all [s]    cpu [s]    pdf [s]   html [s]   pdf [MB]  html [MB]   pages   peak [MB]")
    rows = [_run(size) for size in sizes]
    for row in rows:
        print(
            f"{row.num_points:6} {row.all_s:10.2f} {row.processor_s:10.2f} {row.pdf_s:10.2f} "
            f"{row.html_s:10.2f} {row.pdf_bytes / 1e6:10.2f} {row.html_bytes / 1e6:10.2f} "
            f"{row.num_pages:7} {row.peak_bytes / 1e6:11.0f}"
        )
    largest = rows[-1]
    name = f"{largest.num_points}-points"
    bars = [
        _bar(f"report-{name}", largest.all_s, "s", MOST_S),
        _bar(f"memory-{name}", largest.peak_bytes / 2**20, "MiB", MOST_BYTES / 2**20),
        _bar(f"html-{name}", largest.html_bytes / 1e6, "MB", MOST_HTML_BYTES / 1e6),
        _bar(f"pages-{name}", largest.num_pages, "pages", MOST_PAGES),
        _bar("help", _help_s(), "s", MOST_HELP_S),
    ]
    return 0 if all(bars) else 1


def _run(size: Size) -> Row:
    command = [sys.executable, "-m", "benchmarks.report_worker", json.dumps(asdict(size))]
    with tempfile.TemporaryDirectory(prefix="saih-reports-") as folder:
        begin, used = time.perf_counter(), _used_s()
        done = subprocess.run([*command, folder], capture_output=True, text=True, check=True)
        all_s = time.perf_counter() - begin
    return Row(all_s=all_s, processor_s=_used_s() - used, **json.loads(done.stdout.splitlines()[-1]))


def _used_s() -> float:
    """Processor time of all processes that ended below this one."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _help_s() -> float:
    """The fastest of some starts: what the program needs, not what else the machine does."""
    program = Path(sys.executable).with_name("saih")
    times = []
    for _ in range(NUM_HELPS):
        begin = time.perf_counter()
        subprocess.run([program, "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def _bar(name: str, value: float, unit: str, limit: float) -> bool:
    passed = value <= limit
    print(f"BAR {name}: {value:.4g} {unit} (bar <= {limit:g} {unit}) {'PASS' if passed else 'FAIL'}")
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
