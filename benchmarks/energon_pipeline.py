"""How busy a pipeline of the engine keeps its stages, against what a simulated one could reach at best.

Requests of different lengths go through 2 and 4 stages, each a process of its own that talks to the next
over loopback: non-blocking with 4 buffers, blocking (a stage waits until the next has taken over what it
sends), and GPipe of torch.distributed.pipelining, which takes one shape only, so that all are padded to the
longest. The ways take turns. Computing is **paced**: a stage sleeps for as long as its rows would take, for
two cores cannot be four stages; bytes and sockets are real. Utilisation is the share of the whole time,
filling and draining included, in which the busiest stage computes. Its bound comes from ``pipeline_bound``,
for the times that the stages did compute for (a sleep on a busy machine ends late), the same buffers, and
transfers that take no time.

    python -m benchmarks.energon_pipeline [--quick]
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.bars import judge
from workloads.energon.pipeline_bound import completions

STAGES = (2, 4)
NUM_BUFFERS = 4
LONGEST = 128
ROW_S = 40e-3 / LONGEST
"""A stage of some layers of a model of 10 GB works on 128 tokens for some ten milliseconds."""
NUM_REQUESTS, QUICK_REQUESTS = 160, 80
ROUNDS, QUICK_ROUNDS = 3, 1
NUM_HOPS = 200
BUSY_LIMIT, GAIN_LIMIT, HOP_LIMIT_MS = 0.95, 1.4, 1.0
PAPER_GAIN = 1.10
GAINING = ("uniform", "log-normal")
_LIMIT_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Requests of one mix of lengths through one number of stages: medians over the rounds."""

    num_stages: int
    mix: str
    bound: float
    """The utilisation that is possible."""
    busy: float
    blocking_busy: float
    of_bound: float
    over_blocking: float
    possible_over_blocking: float
    over_torch: float


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bars; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer requests and rounds")
    is_quick = parser.parse_args(arguments).quick
    mixes = length_mixes(QUICK_REQUESTS if is_quick else NUM_REQUESTS)
    met = []
    print(f"paced computing of {ROW_S * 1e6:.0f} us a row, {NUM_BUFFERS} buffers, medians of turns")
    print(
        f"{'stages':>6} {'lengths':12} {'bound':>6} {'busy':>6} {'of bound':>9} {'blocking busy':>14}", end=""
    )
    print(f" {'over blocking (possible)':>25} {'over padded torch':>18}")
    for num_stages in STAGES:
        taken = measured(num_stages, mixes, QUICK_ROUNDS if is_quick else ROUNDS)
        rows = [_row(num_stages, mix, taken["rounds"]) for mix in mixes]
        for row in rows:
            print(_line(row), flush=True)
        met += _judged(rows, 1e3 * median(taken["hop_s"]))
    print(f"the paper's gain over a blocking pipeline: {PAPER_GAIN:.2f}x, on GPUs, lengths not told")
    return 0 if all(met) else 1


def length_mixes(num_requests: int) -> dict[str, list[int]]:
    """Rows of each request: all alike, even between a tenth and all, and many short with a few long ones."""
    generator = random.Random(3)  # noqa: S311  # lengths, no secrets
    uniform = [generator.randint(LONGEST // 10, LONGEST) for _ in range(num_requests)]
    drawn = [round(LONGEST / 4 * generator.lognormvariate(0, 0.8)) for _ in range(num_requests)]
    return {
        "equal": [LONGEST // 2] * num_requests,
        "uniform": uniform,
        "log-normal": [min(2 * LONGEST, max(4, length)) for length in drawn],
    }


def measured(num_stages: int, mixes: Mapping[str, Sequence[int]], num_rounds: int) -> Mapping[str, Any]:
    """What the stages found: seconds of each hop, and of each way, mix and round.

    Raises:
        RuntimeError: when one of them fails.
    """
    asked = {
        "num_stages": num_stages,
        "num_buffers": NUM_BUFFERS,
        "row_s": ROW_S,
        "mixes": mixes,
        "num_rounds": num_rounds,
        "num_hops": NUM_HOPS,
    }
    with tempfile.TemporaryDirectory(prefix="saih-pipeline-") as folder:
        command = [sys.executable, "-m", "benchmarks.energon_pipeline_worker"]
        words = [[str(rank), str(Path(folder) / "store"), json.dumps(asked)] for rank in range(num_stages)]
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        ranks = [
            subprocess.Popen([*command, *each], env=environ, stdout=subprocess.PIPE, text=True)
            for each in words
        ]
        try:
            outs = [rank.communicate(timeout=_LIMIT_S)[0] for rank in ranks]
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
    if any(rank.returncode for rank in ranks):
        raise RuntimeError(f"stages ended with {[rank.returncode for rank in ranks]}; see above")
    return json.loads(outs[-1])


def _row(num_stages: int, mix: str, rounds: Sequence[Mapping[str, Any]]) -> Row:
    taken = [each[mix] for each in rounds]
    ours, blocking = ([each[way] for each in taken] for way in ("non-blocking", "blocking"))
    return Row(
        num_stages=num_stages,
        mix=mix,
        bound=median(_busiest_s(each) / _least_s(each) for each in ours),
        busy=median(_busiest_s(each) / each["taken_s"] for each in ours),
        blocking_busy=median(_busiest_s(each) / each["taken_s"] for each in blocking),
        of_bound=median(_least_s(each) / each["taken_s"] for each in ours),
        over_blocking=median(
            slow["taken_s"] / fast["taken_s"] for slow, fast in zip(blocking, ours, strict=True)
        ),
        possible_over_blocking=median(_least_s(each, 0) / _least_s(each) for each in ours),
        over_torch=median(each["torch"]["taken_s"] / each["non-blocking"]["taken_s"] for each in taken),
    )


def _busiest_s(way: Mapping[str, Any]) -> float:
    return max(map(sum, way["compute_s"]))


def _least_s(way: Mapping[str, Any], num_buffers: int = NUM_BUFFERS) -> float:
    compute_s: Sequence[Sequence[float]] = way["compute_s"]
    return completions(compute_s, [[0.0] * len(each) for each in compute_s[1:]], num_buffers)[-1]


def _line(row: Row) -> str:
    gain = f"{row.over_blocking:.2f} ({row.possible_over_blocking:.2f})"
    return (
        f"{row.num_stages:6} {row.mix:12} {row.bound:6.3f} {row.busy:6.3f} {row.of_bound:9.3f} "
        f"{row.blocking_busy:14.3f} {gain:>25} {row.over_torch:18.2f}"
    )


def _judged(rows: Sequence[Row], hop_ms: float) -> list[bool]:
    met = []
    for row in rows:
        name = f"paced {row.num_stages} stages, {row.mix} lengths"
        met.append(judge(f"{name}, utilisation of its bound", row.of_bound, "", ">=", BUSY_LIMIT))
        if row.num_stages == max(STAGES) and row.mix in GAINING:
            met.append(judge(f"{name}, over blocking", row.over_blocking, "x", ">=", GAIN_LIMIT))
    name = f"{rows[0].num_stages} stages, hop of one row"
    met.append(judge(name, hop_ms, "ms", "<", HOP_LIMIT_MS))
    return met


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
