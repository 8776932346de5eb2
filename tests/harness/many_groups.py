"""Opens, uses and ends process groups one after another: ``python many_groups.py COUNT``."""

import sys

import torch
from mpi4py import MPI
from torch import nn

from saih.harness.clock import host_ns
from saih.harness.exchange_ddp import DdpExchange
from saih.machine.process_group import process_group


def use_and_end() -> bool:
    """Whether the exchange of some steps was timed."""
    with process_group(MPI.COMM_SELF, torch.device("cpu"), 60) as group:
        exchange = DdpExchange(group)
        model = exchange.attach(nn.Linear(64, 64))
        for _ in range(3):
            model(torch.ones(1, 64)).sum().backward()
            exchange.end_backward()
        return all(cost.total_ns > 0 for cost in exchange.take([host_ns()] * 3))


if __name__ == "__main__":
    # The threads of a group then get the interpreter only when the main thread waits: as late as can be.
    sys.setswitchinterval(0.5)
    print(sum(use_and_end() for _ in range(int(sys.argv[1]))))  # noqa: T201
