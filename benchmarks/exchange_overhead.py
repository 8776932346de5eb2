"""What the harness adds to a step that exchanges gradients: one rank of two, started by ``overhead``.

The bare loop calls the same backend with nobody watching: DistributedDataParallel as torch ships it, and for
Horovod one hook a parameter that begins its all-reduce and one wait for all of them before the optimizer.
Both kinds have models of their own, live in the same processes, and share the process group or Horovod.
Where a model and its buffers happen to lie in memory can make its step longer or shorter: the excess is taken
within couples of one model of each kind, made anew many times, and its interval is that of couples.
Windows begin together on both ranks and last as long as the slower one.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.bare_training import Optimizer, Training
from saih.domain.interval import median, median_interval
from saih.domain.point import Timing
from saih.harness.clock import device_clock
from saih.harness.decision import CHECK_EVERY_NS
from saih.harness.exchange import MeasuredExchange
from saih.harness.exchange_ddp import DdpExchange
from saih.harness.exchange_horovod import HorovodExchange, HostMoments
from saih.harness.horovod_library import running_horovod
from saih.harness.measure import Instruments, Ledger, Losses, TimedSession, check
from saih.harness.phases import Rows
from saih.harness.prefetch import Prefetch
from saih.machine.process_group import process_group

WINDOW_S = 0.15
"""A third of what lies between two decisions of a point: the begin and the end of a window weigh three times
what they weigh there, and another program's time slices spoil few windows."""
ROUNDS_PER_COUPLE = 4
WARMUP_STEPS = 4
LIMIT_S = 60.0
Attach = Callable[[Training], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Couple:
    """One model of each kind, after their windows."""

    bare_ms: float
    excess_percent: float
    checks_s: list[float]
    """What a decision between steps took."""


class WaitingOptimizer:
    """An optimizer that waits for Horovod before it steps."""

    def __init__(self, optimizer: Optimizer, model: nn.Module) -> None:
        import horovod.torch as hvd  # noqa: PLC0415  # not every benchmark needs it

        self._optimizer = optimizer
        self._hvd: Any = hvd  # Any: Horovod is untyped
        self._handles: list[int] = []
        hvd.broadcast_parameters(model.state_dict(), root_rank=0)
        for name, parameter in model.named_parameters():
            parameter.register_post_accumulate_grad_hook(partial(self._begin, name))  # type: ignore[no-untyped-call]

    def _begin(self, name: str, parameter: Tensor) -> None:
        handle = self._hvd.allreduce_async_(parameter.grad, name=f"bare.{name}", op=self._hvd.Average)
        self._handles.append(handle)

    def step(self) -> None:
        """Wait for all gradients, and descend."""
        for handle in self._handles:
            self._hvd.synchronize(handle)
        self._handles.clear()
        self._optimizer.step()

    def zero_grad(self, *, set_to_none: bool) -> None:
        """As the optimizer does."""
        self._optimizer.zero_grad(set_to_none=set_to_none)


@contextmanager
def opened(kind: str) -> Iterator[tuple[Callable[[], MeasuredExchange], Attach]]:
    """What makes an exchange of the harness, and what makes a bare training exchange by the same backend."""
    if kind == "horovod":
        with running_horovod(MPI.COMM_WORLD) as horovod:
            yield lambda: HorovodExchange(horovod, HostMoments()), _attach_horovod
        return
    with process_group(MPI.COMM_WORLD, torch.device("cpu"), LIMIT_S) as group:

        def attach(training: Training) -> None:
            training.model = DistributedDataParallel(
                training.model, process_group=group, gradient_as_bucket_view=True
            )

        yield lambda: DdpExchange(group), attach


def compare(kind: str, resolution: int, width: int, num_couples: int) -> dict[str, Any]:
    """Interleaved windows of one member: the row of the table as plain values."""
    bare_ms, excess_percent, checks_s = [], [], []
    with opened(kind) as (make_exchange, attach):
        for index in range(num_couples):
            bare, watched = Training(resolution, width), Training(resolution, width)
            exchange = make_exchange()
            attach(bare)
            watched.model = exchange.attach(watched.model)
            instruments = Instruments(
                comm=MPI.COMM_WORLD, clock=device_clock("cpu"), exchange=exchange, beat=lambda place: None
            )
            with Prefetch(watched.produce) as prefetch:
                timed = TimedSession(watched, prefetch, instruments)
                couple = _measure(bare, timed, is_bare_first=index % 2 == 0)
            bare_ms.append(couple.bare_ms)
            excess_percent.append(couple.excess_percent)
            checks_s += couple.checks_s
    check_percent = 100 * median(checks_s) / (CHECK_EVERY_NS / 1e9)
    return {
        "bare_ms": asdict(median_interval(bare_ms)),
        "overhead_percent": asdict(median_interval([one + check_percent for one in excess_percent])),
    }


def main(kind: str, resolution: int, width: int, num_couples: int) -> None:
    """Print the row of one member as JSON, on rank 0."""
    torch.set_num_threads(1)
    row = compare(kind, resolution, width, num_couples)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(row))


def _attach_horovod(training: Training) -> None:
    training.optimizer = WaitingOptimizer(training.optimizer, training.model)


def _measure(bare: Training, timed: TimedSession, *, is_bare_first: bool) -> Couple:
    """Windows of one couple, whose order alternates."""
    bare.bare_window(WARMUP_STEPS)
    timed.run(WARMUP_STEPS)
    num_steps = max(1, round(WINDOW_S / (_spent_s(partial(bare.bare_window, WARMUP_STEPS)) / WARMUP_STEPS)))
    chunks: list[tuple[Rows, Losses]] = []
    pairs = []
    for index in range(ROUNDS_PER_COUPLE):
        if (index % 2 == 0) is is_bare_first:
            bare_s = _spent_s(partial(bare.bare_window, num_steps))
            harness_s = _spent_s(partial(_keep, chunks, timed, num_steps))
        else:
            harness_s = _spent_s(partial(_keep, chunks, timed, num_steps))
            bare_s = _spent_s(partial(bare.bare_window, num_steps))
        pairs.append((bare_s, harness_s))
    return Couple(
        bare_ms=median([bare_s / num_steps * 1e3 for bare_s, _ in pairs]),
        excess_percent=100 * median([harness_s / bare_s - 1 for bare_s, harness_s in pairs]),
        checks_s=_checks_s(chunks[:1]),
    )


def _keep(chunks: list[tuple[Rows, Losses]], timed: TimedSession, num_steps: int) -> None:
    chunks.append(timed.run(num_steps))


def _checks_s(chunks: Sequence[tuple[Rows, Losses]]) -> list[float]:
    ledger, timing = Ledger(0), Timing(max_steps=10**6)
    return [_spent_s(partial(check, ledger, chunk, timing, MPI.COMM_WORLD)) for chunk in chunks]


def _spent_s(work: Callable[[], object]) -> float:
    """How long the slower rank worked, when all begin together."""
    MPI.COMM_WORLD.Barrier()
    begin = time.perf_counter()
    work()
    spent = np.array([time.perf_counter() - begin])
    MPI.COMM_WORLD.Allreduce(MPI.IN_PLACE, spent, MPI.MAX)
    return float(spent[0])


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:5]))
