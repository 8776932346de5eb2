"""What the harness adds to a step: measured steps against a bare loop of the same training.

``python -m benchmarks.overhead [--quick]``. Windows of both kinds alternate in one process, so that load
and clock frequency strike both alike. A harness window holds everything that the harness does for its
steps: loader thread, marks, losses. What lies between its steps, the gathering of durations and the
decision to go on, is timed by itself and added at the rate at which it happens. Both kinds read the loss
of every step, work on the same batches in memory, and are timed in whole windows from outside.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from mpi4py import MPI
from torch import Tensor
from torch.nn import functional

from cosmology import network
from cosmology.architecture import Architecture, Recipe, num_stages
from saih.domain.interval import Interval, median, median_interval
from saih.domain.point import Timing
from saih.harness.clock import device_clock
from saih.harness.decision import CHECK_EVERY_NS
from saih.harness.exchange import NoExchange
from saih.harness.measure import Instruments, Ledger, TimedSession, check
from saih.harness.prefetch import Prefetch
from workloads.protocol import Mark

LIMIT_PERCENT = 2.0
WINDOW_S = 0.04
"""Short, so that another program's time slices spoil few windows."""
MEMBERS = ((16, 4), (16, 16), (16, 32))
"""Resolution [voxels] and width of the members that are trained, from the shortest step on."""
ROUNDS, QUICK_ROUNDS = 1000, 120
BATCH = 4
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Time of one window."""

    wall_s: float
    processor_s: float


class Training:
    """Training on a few batches in memory; a session for the harness, and plain steps for the bare loop."""

    def __init__(self, resolution: int, width: int) -> None:
        stages = tuple(width * 2**stage for stage in range(num_stages(resolution)))
        architecture = Architecture(
            resolution=resolution, channels=4, stage_channels=stages, residuals_per_stage=0
        )
        self.model = network.build(architecture, seed=1, recipe=Recipe.SCALED)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.001, momentum=0.9)
        generator = torch.Generator().manual_seed(1)
        shape = (BATCH, 4, resolution, resolution, resolution)
        self.batches = [
            (torch.randn(shape, generator=generator), torch.rand((BATCH, 4), generator=generator))
            for _ in range(4)
        ]

    def produce(self, step: int) -> tuple[Tensor, Tensor]:
        """A batch that is there already."""
        return self.batches[step % len(self.batches)]

    def step(self, batch: tuple[Tensor, Tensor], mark: Mark) -> Tensor:
        """One descent, as the CosmoFlow session does it."""
        grids, targets = batch
        mark("input_wait")
        loss = functional.mse_loss(self.model(grids), targets)
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        mark("optimizer")
        return loss.detach()

    def bare_window(self, num_steps: int) -> None:
        """The same descents without anybody watching."""
        for step in range(num_steps):
            grids, targets = self.batches[step % len(self.batches)]
            loss = functional.mse_loss(self.model(grids), targets)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            loss.item()

    def close(self) -> None:
        """Nothing is open."""


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
        overhead_percent=_excess(
            [(bare.wall_s, harness.wall_s) for bare, harness in pairs], [spent.wall_s for spent in checks]
        ),
        processor_percent=_excess(
            [(bare.processor_s, harness.processor_s) for bare, harness in pairs],
            [spent.processor_s for spent in checks],
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """Print the table and the bar; 1 when the bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, within 50 s")
    num_rounds = QUICK_ROUNDS if parser.parse_args(arguments).quick else ROUNDS
    torch.set_num_threads(1)
    print(f"{num_rounds} rounds; medians with 95 % intervals; the bar is on wall time")
    print(
        f"{'member':<20} {'bare step [ms]':>14} {'added [us]':>10} {'overhead [%]':>28} "
        f"{'in processor time [%]':>28}"
    )
    rows = []
    for resolution, width in MEMBERS:
        row = compare(resolution, width, num_rounds)
        rows.append(row)
        shares = [
            f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"
            for share in (row.overhead_percent, row.processor_percent)
        ]
        added_us = 10 * row.overhead_percent.value * row.bare_ms.value
        print(
            f"{row.name:<20} {row.bare_ms.value:>14.2f} {added_us:>10.0f} {shares[0]:>28} {shares[1]:>28}",
            flush=True,
        )
    worst = max(row.overhead_percent.value for row in rows)
    is_met = worst <= LIMIT_PERCENT
    print(f"BAR overhead: {worst:.2f} % (bar <= {LIMIT_PERCENT:g} %) {'PASS' if is_met else 'FAIL'}")
    return 0 if is_met else 1


def _pair(bare: Callable[[], None], harness: Callable[[], None], *, is_swapped: bool) -> tuple[Spent, Spent]:
    """What one window of each kind took; the order alternates, against drifts within a pair."""
    if is_swapped:
        harness_spent, bare_spent = _spent(harness), _spent(bare)
    else:
        bare_spent, harness_spent = _spent(bare), _spent(harness)
    return bare_spent, harness_spent


def _excess(pairs: Sequence[tuple[float, float]], checks_s: Sequence[float]) -> Interval:
    """Median excess of the second over the first of each pair, and of the checks between [%]."""
    check_percent = 100 * median(checks_s) / (CHECK_EVERY_NS / 1e9)
    return median_interval([100 * (second / first - 1) + check_percent for first, second in pairs])


def _spent(work: Callable[[], object]) -> Spent:
    begin, processor_begin = time.perf_counter(), time.process_time()
    work()
    return Spent(wall_s=time.perf_counter() - begin, processor_s=time.process_time() - processor_begin)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
