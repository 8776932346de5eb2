"""What the harness adds to a step: measured steps against a bare loop of the same training.

``python -m benchmarks.overhead [--quick]``. Windows of both kinds alternate in one process, so that load
and clock frequency strike both alike. A harness window holds everything that the harness does for its
steps: loader thread, marks, losses. What lies between its steps, the gathering of durations and the
decision to go on, is timed by itself and added at the rate at which it happens. Both kinds read the loss
of every step, work on the same batches in memory, and are timed in whole windows from outside. A second
part does the same on two ranks that exchange gradients, by DDP and by Horovod (``exchange_overhead``).
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from mpi4py import MPI

from benchmarks.bare_training import Training, excess
from benchmarks.bars import judge
from saih.domain.interval import Interval, median_interval
from saih.domain.point import Placement, Timing
from saih.harness.clock import device_clock
from saih.harness.exchange import NoExchange
from saih.harness.measure import Instruments, Ledger, TimedSession, check
from saih.harness.prefetch import Prefetch
from saih.launch.mpirun import find_launcher
from saih.launch.starter import rank_environment

LIMIT_PERCENT = 2.0
"""Of the shortest steps, of 2 ms and less."""
LONG_STEP_MS, LONG_LIMIT_PERCENT = 50.0, 1.0
LIMIT_US = 200.0
EXCHANGE_LIMIT_PERCENT = 1.0
EXCHANGES = ("ddp", "horovod")
EXCHANGE_MEMBERS = ((16, 32), (32, 16))
EXCHANGE_COUPLES, QUICK_EXCHANGE_COUPLES = 100, 12
NUM_RANKS = 2
WINDOW_S = 0.04
"""Short, so that another program's time slices spoil few windows."""
MEMBERS = ((16, 4), (16, 16), (16, 32), (32, 32))
"""Resolution [voxels] and width of the members that are trained, from the shortest step on."""
LARGE_EVERY, FEWEST_ROUNDS = 3, 20
"""Windows of the largest member are long: of so many rounds it takes part in one."""
ROUNDS, QUICK_ROUNDS = 1000, 120
MAX_CHECKED = 20
"""Decisions that are timed: as many as a point of a few seconds takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One member: its bare step, and what the harness adds to it."""

    name: str
    bare_ms: Interval
    overhead_percent: Interval
    processor_percent: Interval
    """The same in processor time of all threads, which other programs on the machine blur less."""

    @property
    def added_us(self) -> float:
        """Median excess of a step."""
        return 10 * self.overhead_percent.value * self.bare_ms.value

    @property
    def is_known_absolutely(self) -> bool:
        """Whether the interval of the excess is narrower than the bar on it: of long steps it is not."""
        width_percent = self.overhead_percent.high - self.overhead_percent.low
        return 10 * width_percent * self.bare_ms.value < 2 * LIMIT_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Time of one window."""

    wall_s: float
    processor_s: float


def compare(resolution: int, width: int, num_rounds: int) -> Row:
    """Interleaved windows of one member."""
    training = Training(resolution, width)
    instruments = Instruments(
        comm=MPI.COMM_SELF, clock=device_clock("cpu"), exchange=NoExchange(), beat=lambda place: None
    )
    training.bare_window(5)
    num_steps = max(3, round(WINDOW_S / _spent(lambda: training.bare_window(5)).wall_s * 5))
    with Prefetch(training.produce) as prefetch:
        timed = TimedSession(training, prefetch, instruments)

        ledger, chunks = Ledger(0), [timed.run(num_steps)]
        pairs = [
            _pair(
                lambda: training.bare_window(num_steps),
                lambda: chunks.append(timed.run(num_steps)),
                is_swapped=bool(index % 2),
            )
            for index in range(num_rounds)
        ]
        checks = [
            _spent(partial(check, ledger, chunk, Timing(max_steps=10**6), instruments.comm))
            for chunk in chunks[:MAX_CHECKED]
        ]
    return Row(
        name=f"{resolution}^3 x 4, width {width}",
        bare_ms=median_interval([bare.wall_s / num_steps * 1e3 for bare, _ in pairs]),
        overhead_percent=excess(
            [(bare.wall_s, harness.wall_s) for bare, harness in pairs], [spent.wall_s for spent in checks]
        ),
        processor_percent=excess(
            [(bare.processor_s, harness.processor_s) for bare, harness in pairs],
            [spent.processor_s for spent in checks],
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """Print the tables and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, within 50 s")
    parser.add_argument("--part", choices=("step", "exchange"), help="one of the two parts only")
    options = parser.parse_args(arguments)
    _become_a_rank(arguments)
    torch.set_num_threads(1)
    are_met = []
    if options.part != "exchange":
        are_met += step_bars(step_part(QUICK_ROUNDS if options.quick else ROUNDS))
    if options.part != "step":
        worst = exchange_part(is_quick=options.quick)
        are_met.append(is_met("exchange overhead", worst, EXCHANGE_LIMIT_PERCENT))
    return 0 if all(are_met) else 1


def _become_a_rank(arguments: Sequence[str]) -> None:
    """Begin anew in the environment that ranks get, where it is another: the allocator reads it once."""
    environment = rank_environment(os.environ, Placement())
    if environment != dict(os.environ):
        command = [sys.executable, "-m", "benchmarks.overhead", *arguments]
        os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted


def is_met(name: str, worst_percent: float, limit_percent: float) -> bool:
    """Print a bar; whether it is met."""
    is_below = worst_percent <= limit_percent
    verdict = "PASS" if is_below else "FAIL"
    print(f"BAR {name}: {worst_percent:.2f} % (bar <= {limit_percent:g} %) {verdict}", flush=True)
    return is_below


def step_bars(rows: Sequence[Row]) -> list[bool]:
    """Print the bars of steps on one rank; which of them are met."""
    known = [row for row in rows if row.is_known_absolutely]
    for row in rows:
        if row not in known:
            print(f"{row.name}: its excess is not known to {LIMIT_US:g} us, so only the bar in percent holds")
    long_percent = [row.overhead_percent.value for row in rows if row.bare_ms.value >= LONG_STEP_MS]
    return [
        is_met("overhead", max(row.overhead_percent.value for row in rows), LIMIT_PERCENT),
        is_met(f"overhead from {LONG_STEP_MS:g} ms on", max(long_percent, default=0.0), LONG_LIMIT_PERCENT),
        judge(
            f"overhead, absolute, of {len(known)} members of {len(rows)}",
            max((row.added_us for row in known), default=math.inf),
            "us",
            "<",
            LIMIT_US,
        ),
    ]


def step_part(num_rounds: int) -> list[Row]:
    """Print the table of steps on one rank."""
    print(f"{num_rounds} rounds; medians with 95 % intervals; the bar is on wall time")
    print(
        f"{'member':<20} {'bare step [ms]':>14} {'added [us]':>10} {'overhead [%]':>28} "
        f"{'in processor time [%]':>28}"
    )
    rows = []
    for resolution, width in MEMBERS:
        is_small = resolution == MEMBERS[0][0]
        rounds = num_rounds if is_small else max(FEWEST_ROUNDS, num_rounds // LARGE_EVERY)
        row = compare(resolution, width, rounds)
        rows.append(row)
        shares = [_share(share) for share in (row.overhead_percent, row.processor_percent)]
        measured = f"{row.bare_ms.value:>14.2f} {row.added_us:>10.0f}"
        print(f"{row.name:<20} {measured} {shares[0]:>28} {shares[1]:>28}", flush=True)
    return rows


def exchange_part(*, is_quick: bool) -> float:
    """Print the table of steps on two ranks that exchange gradients; the worst overhead [%]."""
    members = EXCHANGE_MEMBERS[:1] if is_quick else EXCHANGE_MEMBERS
    num_couples = QUICK_EXCHANGE_COUPLES if is_quick else EXCHANGE_COUPLES
    print(f"{NUM_RANKS} ranks, {num_couples} couples of models; medians with 95 % intervals")
    print(f"{'exchange and member':<28} {'bare step [ms]':>14} {'added [us]':>10} {'overhead [%]':>28}")
    overheads = []
    for exchange in EXCHANGES:
        for resolution, width in members:
            found = _on_ranks(exchange, resolution, width, num_couples)
            bare_ms, overhead = (Interval(**found[name]) for name in ("bare_ms", "overhead_percent"))
            name = f"{exchange}, {resolution}^3 x 4, width {width}"
            added_us = 10 * overhead.value * bare_ms.value
            print(f"{name:<28} {bare_ms.value:>14.2f} {added_us:>10.0f} {_share(overhead):>28}", flush=True)
            overheads.append(overhead.value)
    return max(overheads)


def _on_ranks(exchange: str, *numbers: int) -> dict[str, Any]:
    launcher = find_launcher()
    ranks = [str(launcher.path), "-n", str(NUM_RANKS)]
    if launcher.family == "openmpi":
        ranks += ["--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    program = [sys.executable, "-m", "mpi4py", "-m", "benchmarks.exchange_overhead", exchange]
    placement = Placement(ranks_per_node=NUM_RANKS, data_parallel=NUM_RANKS)
    done = subprocess.run(
        [*ranks, *program, *map(str, numbers)],
        env=rank_environment(os.environ, placement),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def _share(share: Interval) -> str:
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


def _pair(bare: Callable[[], None], harness: Callable[[], None], *, is_swapped: bool) -> tuple[Spent, Spent]:
    """What one window of each kind took; the order alternates, against drifts within a pair."""
    if is_swapped:
        harness_spent, bare_spent = _spent(harness), _spent(bare)
    else:
        bare_spent, harness_spent = _spent(bare), _spent(harness)
    return bare_spent, harness_spent


def _spent(work: Callable[[], object]) -> Spent:
    begin, processor_begin = time.perf_counter(), time.process_time()
    work()
    return Spent(wall_s=time.perf_counter() - begin, processor_s=time.process_time() - processor_begin)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
