"""What the harness adds to a step that exchanges gradients: one rank of two, started by ``overhead``.

The bare loop calls the same backend with nobody watching: DistributedDataParallel as torch ships it, and for
Horovod one hook a parameter that begins its all-reduce and one wait for all of them before the optimizer.
Both kinds have models of their own, live in the same processes, and share the process group or Horovod.
Windows begin together on both ranks and last as long as the slower one.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.training import Optimizer, Training, excess
from saih.domain.interval import median, median_interval
from saih.domain.point import Timing
from saih.harness.clock import device_clock
from saih.harness.exchange import MeasuredExchange
from saih.harness.exchange_ddp import DdpExchange
from saih.harness.exchange_horovod import HorovodExchange, HostMoments
from saih.harness.horovod_library import running_horovod
from saih.harness.measure import Instruments, Ledger, Losses, TimedSession, check
from saih.harness.prefetch import Prefetch
from saih.harness.rank_rows import Rows
from saih.machine.process_group import process_group

WINDOW_S = 0.05
"""Some steps, so that a window's own begin and end weigh little, as they do between two decisions of a point;
and short, so that another program's time slices spoil few windows."""
NUM_COUPLES = 4
"""Models of each kind: where a model lies in memory makes its step some tens of us longer or shorter."""
MAX_CHECKED = 20
LIMIT_S = 60.0
Attach = Callable[[Training], None]


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


def compare(kind: str, resolution: int, width: int, num_rounds: int) -> dict[str, Any]:
    """Interleaved windows of one member: the row of the table as plain values."""
    with opened(kind) as (make_exchange, attach), ExitStack() as loaders:
        couples = []
        for _ in range(NUM_COUPLES):
            bare, watched = Training(resolution, width), Training(resolution, width)
            exchange = make_exchange()
            attach(bare)
            watched.model = exchange.attach(watched.model)
            instruments = Instruments(
                comm=MPI.COMM_WORLD, clock=device_clock("cpu"), exchange=exchange, beat=lambda place: None
            )
            prefetch = loaders.enter_context(Prefetch(watched.produce))
            couples.append((bare, TimedSession(watched, prefetch, instruments)))
        return _measure(couples, num_rounds)


def main(kind: str, resolution: int, width: int, num_rounds: int) -> None:
    """Print the row of one member as JSON, on rank 0."""
    torch.set_num_threads(1)
    row = compare(kind, resolution, width, num_rounds)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(row))


def _attach_horovod(training: Training) -> None:
    training.optimizer = WaitingOptimizer(training.optimizer, training.model)


def _measure(couples: Sequence[tuple[Training, TimedSession]], num_rounds: int) -> dict[str, Any]:
    steps_s = []
    for bare, timed in couples:
        bare.bare_window(5)
        timed.run(5)
        steps_s.append(_spent_s(partial(bare.bare_window, 5)) / 5)
    num_steps = max(1, round(WINDOW_S / median(steps_s)))
    chunks: list[tuple[Rows, Losses]] = []
    pairs = []
    for index in range(num_rounds):
        bare, timed = couples[index % len(couples)]
        # The order alternates each time that a couple has its turn.
        if index // len(couples) % 2:
            harness_s = _spent_s(partial(_keep, chunks, timed, num_steps))
            bare_s = _spent_s(partial(bare.bare_window, num_steps))
        else:
            bare_s = _spent_s(partial(bare.bare_window, num_steps))
            harness_s = _spent_s(partial(_keep, chunks, timed, num_steps))
        pairs.append((bare_s, harness_s))
    checks_s = _checks_s(chunks)
    return {
        "bare_ms": asdict(median_interval([bare_s / num_steps * 1e3 for bare_s, _ in pairs])),
        "overhead_percent": asdict(excess(pairs, checks_s)),
    }


def _keep(chunks: list[tuple[Rows, Losses]], timed: TimedSession, num_steps: int) -> None:
    chunks.append(timed.run(num_steps))


def _checks_s(chunks: Sequence[tuple[Rows, Losses]]) -> list[float]:
    ledger, timing = Ledger(0), Timing(max_steps=10**6)
    return [_spent_s(partial(check, ledger, chunk, timing, MPI.COMM_WORLD)) for chunk in chunks[:MAX_CHECKED]]


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
