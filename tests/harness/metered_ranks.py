"""One rank works more than the others: ``mpirun -n N python metered_ranks.py``; rank 0 prints what it found.

The work is an amount of processor time, so that what is found does not hang on who else uses the machine.
"""

import json
import time

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor, nn

from saih.analyzer.critical_path import critical_path
from saih.domain.point import Placement, Timing
from saih.domain.record import ADDITIVE_PHASES, Meter, Steps
from saih.harness.clock import host_ns
from saih.harness.measure import Instruments, measure
from saih.harness.ranks import Ranks, take_seats
from saih.harness.rendezvous import open_exchange
from workloads.protocol import Mark

EXTRA_S = 0.03
TIMING = Timing(warmup_steps=2, min_steps=12, max_steps=12)


class Session:
    """A small model; the last rank burns processor time in its forward pass."""

    def __init__(self, model: nn.Module, extra_s: float) -> None:
        self.model, self.extra_s = model, extra_s

    def produce(self, step: int) -> Tensor:
        """A batch from memory."""
        return torch.ones(4, 8)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        """Forward with the extra work, and backward."""
        end_s = time.thread_time() + self.extra_s
        while time.thread_time() < end_s:
            pass
        loss = self.model(batch).square().mean()
        mark("forward")
        loss.backward()
        mark("backward")
        return loss.detach()

    def close(self) -> None:
        """Nothing is held."""


def measured(ranks: Ranks) -> Steps | None:
    """The steps, on rank 0."""
    with open_exchange("ddp", ranks, 60.0) as exchange:
        model = exchange.attach(nn.Linear(8, 1))
        instruments = Instruments(comm=ranks.comm, clock=host_ns, exchange=exchange, beat=lambda place: None)
        is_last = ranks.rank == ranks.num_ranks - 1
        return measure(Session(model, EXTRA_S if is_last else 0.0), TIMING, instruments).steps


def main() -> None:
    """Measure, and print what rank 0 finds as one line of JSON."""
    torch.set_num_threads(1)
    comm = MPI.COMM_WORLD
    steps = measured(take_seats(comm, Placement(ranks_per_node=comm.size, data_parallel=comm.size)))
    if steps is None:
        return
    path = critical_path(steps, input_bytes=1)
    own = np.sum([np.asarray(steps.duration_ns[phase]) for phase in ADDITIVE_PHASES], axis=0)
    deciding = own[path.rows, np.arange(steps.num_steps)]
    print(  # noqa: T201
        json.dumps(
            {
                "gap": float(np.abs(path.table.sum(axis=0) - deciding).max()),
                "smallest": float(path.table.min()),
                "on_cpu_ns": [int(np.sum(row)) for row in steps.meters[Meter.WORK_ON_CPU]],
                "imbalance_ns": float(path.imbalance.sum()),
                "meters": sorted(steps.meters),
                "num_steps": steps.num_steps,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
