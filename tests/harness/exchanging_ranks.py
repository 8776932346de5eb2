"""Exchanges gradients and checks what comes of it: ``mpirun -n N python exchanging_ranks.py KIND CHECK...``.

Every rank checks for itself and fails loudly; rank 0 prints what it found as one line of JSON a check.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from mpi4py import MPI
from torch import Tensor, nn

from saih.domain.point import Exchange, Placement, Timing
from saih.domain.record import ADDITIVE_PHASES, Phase
from saih.harness.clock import host_ns
from saih.harness.exchange import MeasuredExchange
from saih.harness.measure import Instruments, measure
from saih.harness.ranks import Ranks, take_seats
from saih.harness.rendezvous import open_exchange
from saih.machine.background import GLOO_WAITING, gloo_threads
from saih.machine.messages import gather_all
from workloads.protocol import Mark

STRAGGLE_S = 0.05
LAYER_S = 0.08
ODD_SIZES = (1, 3, 7, 1001, 4096, 65537)


class Odd(nn.Module):
    """Parameters of odd sizes and several types, one with a layout of its own, one without elements."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in ODD_SIZES)
        self.scalar = nn.Parameter(torch.tensor(1.0))
        self.wide = nn.Parameter(torch.ones(513, dtype=torch.float64))
        self.narrow = nn.Parameter(torch.ones(77, dtype=torch.float16))
        kernel = torch.ones(5, 3, 2, 2, 2).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.kernel = nn.Parameter(kernel)
        self.empty = nn.Parameter(torch.zeros(0))
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)

    def forward(self, weights: list[Tensor]) -> Tensor:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.stack([(p * w).sum().double() for p, w in zip(trained, weights, strict=True)]).sum()


def pulls(model: nn.Module, rank: int) -> list[Tensor]:
    """The gradients that ``rank`` has of its own, with the layouts of the parameters."""
    generator = torch.Generator().manual_seed(rank)
    trained = [p for p in model.parameters() if p.requires_grad]
    return [torch.empty_like(p).copy_(torch.randn(p.shape, generator=generator)) for p in trained]


def check_means(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    model = Odd()
    expected = [torch.stack(parts).double().mean(0) for parts in by_rank(model, ranks.num_ranks)]
    wrapped = exchange.attach(model)
    for _ in range(3):
        wrapped(pulls(model, ranks.rank)).backward()
        trained = [p for p in model.parameters() if p.requires_grad]
        for parameter, mean in zip(trained, expected, strict=True):
            assert parameter.grad is not None
            digits = torch.finfo(parameter.dtype).eps * 2 * ranks.num_ranks
            torch.testing.assert_close(parameter.grad.double(), mean, rtol=digits, atol=digits)
            parameter.grad = None
        check_cost(exchange)
    return len(expected)


def by_rank(model: nn.Module, num_ranks: int) -> list[tuple[Tensor, ...]]:
    return list(zip(*(pulls(model, rank) for rank in range(num_ranks)), strict=True))


def check_cost(exchange: MeasuredExchange) -> tuple[int, int]:
    exchange.end_backward()
    (cost,) = exchange.take([host_ns()])
    assert cost.total_ns >= cost.exposed_ns > 0, cost
    return cost.total_ns, cost.exposed_ns


def check_weights(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """All ranks begin with the weights of rank 0, whatever they had."""
    torch.manual_seed(ranks.rank)
    model = nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3)).to(memory_format=torch.channels_last_3d)
    exchange.attach(model)
    sums = [float(tensor.double().abs().sum()) for tensor in model.state_dict().values()]
    assert tuple(sums) == tuple(gather_all(ranks.comm, {"sums": sums})[0]["sums"]), sums
    return len(sums)


def check_unused(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """Each rank uses one layer of its own: its gradient counts, those of the others are zero here."""
    model = nn.ModuleList(nn.Linear(5, 1, bias=False) for _ in range(ranks.num_ranks))
    exchange.attach(model)
    for _ in range(2):
        model[ranks.rank](torch.full((1, 5), 1.0 + ranks.rank)).sum().backward()
        for index, layer in enumerate(model):
            assert layer.weight.grad is not None
            torch.testing.assert_close(
                layer.weight.grad, torch.full((1, 5), (1.0 + index) / ranks.num_ranks), msg=f"{index}"
            )
            layer.weight.grad = None
        check_cost(exchange)
    return ranks.num_ranks


class Slow(torch.autograd.Function):
    """Lets the backward pass sleep."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        time.sleep(LAYER_S)
        return gradient


def check_overlap(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """Gradients that are averaged behind a long layer cost far less than that layer: nobody asked late."""
    # Larger than a bucket of DDP, so that its all-reduce begins before the long layer's.
    first, last = nn.Linear(4, 4), nn.Linear(4, 2**19)
    model = exchange.attach(nn.Sequential(first, _Slowly(), last))
    costs = []
    for _ in range(6):
        model(torch.ones(1, 4)).sum().backward()
        costs.append(check_cost(exchange))
    return [total_ns - exposed_ns for total_ns, exposed_ns in costs[1:]]


class _Slowly(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Slow.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def check_straggler(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """A rank that comes late is waited for: exposed on the others, not on itself."""
    model = exchange.attach(nn.Linear(100, 100))
    late = ranks.num_ranks - 1
    costs = []
    for _ in range(6):
        ranks.comm.Barrier()
        if ranks.rank == late:
            time.sleep(STRAGGLE_S)
        model(torch.ones(1, 100)).sum().backward()
        costs.append(check_cost(exchange)[1])
    # In its second step DDP orders its buckets anew, and waits for the others there.
    return gather_all(ranks.comm, {"exposed_ns": costs[2:]})


class Fit:
    """A linear fit as a session."""

    def __init__(self, exchange: MeasuredExchange) -> None:
        model = nn.Sequential(nn.Linear(32, 64), nn.Linear(64, 1))
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
        self.model = exchange.attach(model)

    def produce(self, step: int) -> Tensor:
        return torch.ones(8, 32)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        loss = (self.model(batch) - 3.0).square().mean()
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad()
        mark("optimizer")
        return loss.detach()

    def close(self) -> None:
        pass


def check_sums(exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """Phases sum to the step, and the whole exchange holds its exposed part, on every rank and step."""
    instruments = Instruments(comm=ranks.comm, clock=host_ns, exchange=exchange, beat=lambda place: None)
    measured = measure(Fit(exchange), Timing(max_steps=20, relative_width=0.0), instruments)
    if measured.steps is None:
        return None
    phases = {phase: np.array(rows) for phase, rows in measured.steps.duration_ns.items()}
    np.testing.assert_array_equal(sum(phases[p] for p in ADDITIVE_PHASES), np.array(measured.steps.step_ns))
    assert (phases[Phase.COMMUNICATION] > 0).all()
    assert (phases[Phase.COMMUNICATION_TOTAL] >= phases[Phase.COMMUNICATION]).all()
    return measured.steps.num_steps


def check_waiting(_exchange: MeasuredExchange, ranks: Ranks) -> Any:
    """How gloo's waiting threads of all ranks are scheduled, and the threads of the steps."""
    waiting = {os.sched_getscheduler(thread) for thread in gloo_threads(GLOO_WAITING)}
    both = gather_all(ranks.comm, {"waiting": sorted(waiting), "stepping": os.sched_getscheduler(0)})
    return [dict(one) for one in both]


CHECKS: Mapping[str, Callable[[MeasuredExchange, Ranks], Any]] = {
    "means": check_means,
    "weights": check_weights,
    "unused": check_unused,
    "overlap": check_overlap,
    "straggler": check_straggler,
    "sums": check_sums,
    "waiting": check_waiting,
}


def main(kind: Exchange, names: list[str]) -> None:
    torch.set_num_threads(1)
    comm = MPI.COMM_WORLD
    ranks = take_seats(comm, Placement(ranks_per_node=comm.size, data_parallel=comm.size))
    for name in names:
        # Each check opens an exchange of its own, as each point does.
        with open_exchange(kind, ranks, 60.0) as exchange:
            found = CHECKS[name](exchange, ranks)
        if comm.rank == 0:
            print(json.dumps({name: found}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])  # type: ignore[arg-type]
