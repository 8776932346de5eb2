"""Plans run for real where the kernel lets no device have more memory than they were foreseen to need.

Each device is a process whose private memory may grow, from before it loads anything, by what was foreseen
for it and ``SLACK_BYTES`` for what libraries take (RLIMIT_DATA): what asks for more gets no memory, and the
request fails. Models have their own shapes but few layers, weights are constant, links are not slowed down.
With half of what was foreseen, requests must fail: else the limit would not hold them.
"""

import multiprocessing
import resource
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from random import Random
from typing import Any

import torch
from torch import Tensor

from benchmarks.anonymous_memory import status_bytes
from benchmarks.bars import judge
from benchmarks.galaxy_clusters import STRIDE, random_problem, seeded
from benchmarks.kept_results import Kept, each_result
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.memory import Load, whole_bytes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.planner import Planned
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.split import Span
from workloads.transformer.want import Want
from workloads.transformer.weight_names import weight_shapes
from workloads.transformer.weight_part import part_of

NUM_LAYERS = 2
MOST_TOKENS = 256
SLACK_BYTES = 64 << 20
"""Of threads, their heaps and the scratch of products."""
_STACK_BYTES = 1 << 20
_PLACE = Place(device=torch.device("cpu"), dtype=torch.float32)
_PATIENCE_S = 300.0


_STARVED_BYTES = 4 * SLACK_BYTES
"""Of the device that needs most, where half is tried: half of less would lie within the slack."""
_STARVED_OF = 8
"""So many plans are looked at for one that needs enough for half to be tried."""

Plan = Callable[[PlanProblem], Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One plan that ran within what was foreseen."""

    errors: Sequence[str]
    """Of devices that wanted more."""
    survives_half: bool | None
    """Whether half would have done; None where that was not tried."""


def within_limits(
    seed: int, num_plans: int, num_starved: int, plan: Plan, kept: Kept[int] | None, processes: int
) -> bool:
    """Run plans of random problems, some of them with half the memory too, and judge."""
    compute = partial(_tried, seed, plan, _STARVED_OF * num_starved)
    found = [Tried(**result) for _, result in each_result(range(num_plans), compute, kept, processes)]
    failed = [error for one in found for error in one.errors]
    starved = [one.survives_half for one in found if one.survives_half is not None]
    print(*failed[:5], f"{len(found)} plans run within what was foreseen, {len(starved)} with half", sep="\n")
    passed = judge("galaxy-devices-that-wanted-more-memory", float(len(failed)), "devices", "<=", 0)
    passed = judge("galaxy-plans-tried-with-half", float(len(starved)), "plans", ">=", 1) and passed
    return judge("galaxy-plans-that-half-would-do-for", float(sum(starved)), "plans", "<=", 0) and passed


def _tried(seed: int, plan: Plan, num_starved: int, index: int) -> dict[str, Any]:
    problem, planned = _planned(seeded(seed * STRIDE + index), plan)
    foreseen = planned.forecast.memory_bytes
    errors = [
        f"{planned.plan.strategy}, {most / 2**20:.0f} MiB foreseen: {error}"
        for most, error in zip(foreseen, errors_within(problem, planned.plan, foreseen), strict=True)
        if error
    ]
    survives = None
    if index < num_starved and max(foreseen) > _STARVED_BYTES:
        half = [most // 2 - SLACK_BYTES for most in foreseen]
        survives = not any(errors_within(problem, planned.plan, half))
    return asdict(Tried(errors=errors, survives_half=survives))


def _planned(random: Random, plan: Plan) -> tuple[PlanProblem, Planned]:
    while True:
        problem = short(random)
        try:
            return problem, plan(problem)
        except PlanError:
            continue


class ConstantWeights:
    """Weights that cost nothing to make, and as much memory as others."""

    def __init__(self, architecture: TransformerArchitecture) -> None:
        self._shapes = weight_shapes(architecture)

    def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
        """A part of one weight; see ``RandomWeights.read``."""
        part = part_of(name, self._shapes[name], spans)
        return torch.full([len(span) for span in part], 0.01)


def short(random: Random) -> PlanProblem:
    """A random problem with few layers and tokens, whose devices have as much less memory."""
    asked = random_problem(random)
    few = replace(asked.architecture, num_layers=NUM_LAYERS)
    load = replace(asked.load, num_tokens=min(asked.load.num_tokens, MOST_TOKENS))
    share = _whole_bytes(few, load) / _whole_bytes(asked.architecture, asked.load)
    devices = tuple(
        replace(device, memory_bytes=int(device.memory_bytes * share)) for device in asked.cluster.devices
    )
    return replace(asked, architecture=few, load=load, cluster=replace(asked.cluster, devices=devices))


def errors_within(problem: PlanProblem, plan: ParallelPlan, limits_bytes: Sequence[int]) -> list[str]:
    """What went wrong on devices that may take so much each, in the plan's order; empty where nothing did."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ends: dict[int, dict[int, socket.socket]] = {device: {} for device in plan.devices}
    for one, other in combinations(plan.devices, 2):
        ends[one][other], ends[other][one] = socket.socketpair()
    pipes = [context.Pipe(duplex=False) for _ in plan.devices]
    children = [
        context.Process(
            target=_device, args=(device, problem, plan, ends[device], limit_bytes, end), daemon=True
        )
        for device, limit_bytes, (_, end) in zip(plan.devices, limits_bytes, pipes, strict=True)
    ]
    try:
        for child in children:
            child.start()
        for connection in (one for own in ends.values() for one in own.values()):
            connection.close()
        for _, end in pipes:
            end.close()
        return [_heard(child, end) for child, (end, _) in zip(children, pipes, strict=True)]
    finally:
        for child in children:
            child.kill()
            child.join()


def _whole_bytes(architecture: TransformerArchitecture, load: Load) -> int:
    return whole_bytes(architecture, Span(0, architecture.num_layers), load.num_tokens, load)


def _heard(child: BaseProcess, end: Connection) -> str:
    if not end.poll(_PATIENCE_S):
        return f"nothing heard for {_PATIENCE_S:g} s"
    try:
        return str(end.recv())
    except EOFError:
        child.join(1)
        return f"ended with exit code {child.exitcode}"


def _device(
    device: int,
    problem: PlanProblem,
    plan: ParallelPlan,
    connections: Mapping[int, socket.socket],
    limit_bytes: int,
    end: Connection,
) -> None:
    torch.set_num_threads(1)
    threading.stack_size(_STACK_BYTES)
    most = status_bytes("VmData") + limit_bytes + SLACK_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    error = ""
    try:
        ring = Ring(device, connections)
        _answer(device, problem, plan, ring)
        ring.close()
    except Exception as raised:  # whatever it is, the limit brought it about
        error = f"{type(raised).__name__}: {raised}"[:300]
    end.send(error)


def _answer(device: int, problem: PlanProblem, plan: ParallelPlan, ring: Ring) -> None:
    """One request with all its new tokens."""
    load, architecture = problem.load, problem.architecture
    executor = Executor(
        architecture=architecture,
        plan=plan,
        device=device,
        weights=ConstantWeights(architecture),
        ring=ring,
        place=_PLACE,
        arithmetic=RealArithmetic(),
    )
    with torch.inference_mode():
        prompt = torch.zeros(load.num_tokens, dtype=torch.int64)
        rows = executor.told(prompt if device == plan.devices[0] else None, load.num_tokens)
        if not load.num_new_tokens:
            executor.forward(rows, Layout(lengths=(len(rows),)), Want.LAST_ROWS)
            return
        cache, past = executor.new_cache(load.num_tokens + load.num_new_tokens), 0
        for _ in range(load.num_new_tokens):
            layout = Layout(lengths=(len(rows),), past=(past,) if past else ())
            past += len(rows)
            found = executor.forward(rows, layout, Want.NEXT_TOKENS, [cache])
            rows = torch.zeros(1, dtype=torch.int64) if found is None else found
