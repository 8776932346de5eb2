"""One device as a process: ``python -m tests.workloads.galaxy.galaxy_ranks RANK STORE SPECIFICATION``.

Devices meet over loopback, answer as the specification (JSON) asks, and print what they found as one line of
JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, TypeVar

import torch
from torch import distributed

from tests.workloads.galaxy.cluster_in_threads import CPU64, greedy_alone, plan_of, relative_error, undivided
from tests.workloads.transformer.architectures import ALL
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.greedy import generated
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.plan import Strategy
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want
from workloads.transport.link_error import LinkError
from workloads.transport.meeting import meet

T = TypeVar("T")
LENGTHS = (11, 2, 5)


class Mortal(RealArithmetic):
    """Arithmetic in the middle of which the process is killed."""

    def __init__(self, num_left: int) -> None:
        self._num_left = num_left

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        self._num_left -= 1
        if not self._num_left:
            os.kill(os.getpid(), signal.SIGKILL)
        return work()


def found(rank: int, ring: Ring, asked: Mapping[str, Any]) -> list[Any]:
    """For each kind and family: errors of two layouts on the first device, and whether tokens are right."""
    results = []
    for epoch, (strategy, architecture) in enumerate(product(asked["strategies"], ALL)):
        plan = plan_of(
            architecture,
            Strategy(strategy),
            asked["speeds"],
            num_tiles=asked["num_tiles"],
            row_weights=asked["speeds"],
        )
        weights = RandomWeights(architecture, 3)
        executor = Executor(
            architecture=architecture,
            plan=plan,
            device=rank,
            weights=weights,
            ring=ring,
            place=CPU64,
            arithmetic=Mortal(asked["dies_after"]) if rank == asked["dies"] else RealArithmetic(),
            epoch=epoch,
        )
        stage, errors = undivided(architecture, weights), []
        for layout in (Layout(lengths=(29,)), Layout(lengths=LENGTHS)):
            tokens = torch.arange(layout.num_rows) if rank == 0 else None
            tokens = executor.told(tokens, layout.num_rows)
            answer = executor.forward(tokens, layout, Want.ALL_ROWS)
            if answer is not None:
                with torch.inference_mode():
                    errors.append(relative_error(answer, stage.forward(tokens, layout, Want.ALL_ROWS)))
        is_greedy = True
        if architecture.is_decoder:
            made = generated(executor, torch.tensor([1, 2, 3, 4]), [4], 6)
            is_greedy = made.tolist() == [greedy_alone(stage, [1, 2, 3, 4], 6)]
        results.append({"errors": errors, "is_greedy": is_greedy})
    return results


def main() -> None:
    rank, asked = int(sys.argv[1]), json.loads(sys.argv[3])
    num_ranks = len(asked["speeds"])
    torch.set_num_threads(1)
    connections = {}
    if num_ranks > 1:
        store = distributed.FileStore(sys.argv[2], num_ranks)
        distributed.init_process_group("gloo", store=store, rank=rank, world_size=num_ranks)
        group = distributed.group.WORLD
        others = range(num_ranks)
        connections = meet(
            group,
            rank,
            callers=[other for other in others if other < rank],
            called=[other for other in others if other > rank],
        )
    ring = Ring(rank, connections)
    try:
        told: Any = found(rank, ring, asked)
        ring.close()
    except LinkError as error:
        told = {"lost": str(error)}
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # gloo would wait for ranks that were killed


if __name__ == "__main__":
    main()
