"""Requests that paced devices answer, as threads of one process on links that are paced too."""

import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from typing import TypeVar

import torch

from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.greedy import generated
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.paced import PacedArithmetic
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.want import Want

_PLACE = Place(device=torch.device("cpu"), dtype=torch.float32)
T = TypeVar("T")


def measured_ns(problem: PlanProblem, plan: ParallelPlan, repeats: int) -> list[int]:
    """How long each of some requests took, from the tokens on the first device to the answer there."""
    rings = _rings(problem, plan)
    try:
        executors = [
            Executor(
                architecture=problem.architecture,
                plan=plan,
                device=device,
                weights=RandomWeights(problem.architecture, 1),
                ring=rings[device],
                place=_PLACE,
                arithmetic=PacedArithmetic(time.perf_counter_ns),
                profile=problem.cluster.devices[device],
            )
            for device in plan.devices
        ]
        return [_request_ns(problem, executors) for _ in range(repeats)]
    finally:
        _together([ring.close for ring in rings.values()])


def _request_ns(problem: PlanProblem, executors: Sequence[Executor]) -> int:
    tokens = torch.zeros(problem.load.num_tokens, dtype=torch.int64)
    num_new = problem.load.num_new_tokens

    def answered(executor: Executor) -> int:
        begin_ns = time.perf_counter_ns()
        with torch.inference_mode():
            told = executor.told(tokens if executor is executors[0] else None, len(tokens))
            if num_new:  # behind the first one, which the prompt gives
                generated(executor, told, [len(tokens)], 1 + num_new)
            else:
                executor.forward(told, Layout(lengths=(len(tokens),)), Want.LAST_ROWS)
        return time.perf_counter_ns() - begin_ns

    return _together([partial(answered, executor) for executor in executors])[0]


def _rings(problem: PlanProblem, plan: ParallelPlan) -> dict[int, Ring]:
    ends: dict[int, dict[int, socket.socket]] = {device: {} for device in plan.devices}
    for one, other in combinations(plan.devices, 2):
        ends[one][other], ends[other][one] = socket.socketpair()
    links = problem.cluster.links
    return {
        device: Ring(
            device,
            connections,
            {
                other: LinkPace(links[device][other].rate, links[device][other].delay_ns)
                for other in connections
            },
        )
        for device, connections in ends.items()
    }


def _together(calls: Sequence[Callable[[], T]]) -> list[T]:
    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]
