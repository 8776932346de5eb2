"""Pauses an exchange and goes on: ``mpirun -n 2 python pausing_ranks.py KIND``; rank 0 tells in JSON."""

import json
import sys

import torch
from mpi4py import MPI
from torch import nn

from saih.domain.point import Placement
from saih.harness.clock import host_ns
from saih.harness.intervention import SwitchedExchange
from saih.harness.ranks import take_seats
from saih.harness.rendezvous import open_exchange
from saih.machine.messages import gather_all


def is_shared(comm: MPI.Intracomm, model: nn.Module) -> bool:
    """Whether all ranks have the same gradients now."""
    told = gather_all(comm, {"gradient": [float(weight.grad.sum()) for weight in model.parameters()]})
    return all(one == told[0] for one in told)


def main(kind: str) -> None:
    comm = MPI.COMM_WORLD
    ranks = take_seats(comm, Placement(ranks_per_node=comm.size, data_parallel=comm.size))
    found = {}
    with open_exchange(kind, ranks, 60.0) as plain:  # type: ignore[arg-type]
        exchange = SwitchedExchange(plain)
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 1))
        kept = [weight.detach().clone() for weight in model.parameters()]
        attached = exchange.attach(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for name, is_paused in (("shared", False), ("paused", True), ("shared_again", False)):
            exchange.pause(is_paused=is_paused)
            exchange.restore()
            verdicts = []
            for step in range(3):
                optimizer.zero_grad(set_to_none=True)
                batch = torch.randn(4, 64, generator=torch.Generator().manual_seed(7 * step + comm.rank))
                attached(batch).square().mean().backward()
                exchange.end_backward()
                (communication,) = exchange.take([host_ns()])
                verdicts.append(is_shared(comm, model))
                assert is_paused is (communication.total_ns == 0)
                optimizer.step()
            assert len(set(verdicts)) == 1, verdicts
            found[name] = verdicts[0]
        exchange.restore()
        found["restored"] = all(map(torch.equal, kept, [weight.detach() for weight in model.parameters()]))
    if comm.rank == 0:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
