"""One device of ``benchmarks.galaxy_latency``: RANK and others in the environment, what is asked as JSON."""

import json
import os
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, distributed

from augment.problem import Problem, Shape
from workloads.galaxy.engine.arithmetic import RealArithmetic
from workloads.galaxy.engine.executor import Executor
from workloads.galaxy.engine.paced import PacedArithmetic
from workloads.galaxy.engine.ring import Ring
from workloads.galaxy.forecasting.forecast import Forecast, forecast
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.heuristic import even_split, galaxys_heuristic
from workloads.galaxy.planning.planner import plan_cluster
from workloads.galaxy.profile import ClusterProfile, Pace
from workloads.galaxy.seat import Seat
from workloads.galaxy.shapes import GalaxyShape
from workloads.galaxy.survey import survey
from workloads.galaxy.undivided import Undivided, relative_error
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span
from workloads.transformer.want import Want
from workloads.transport.meeting import meet

CHECKED_LAYERS, CHECKED_TOKENS = 2, 24
TOLERATED = {WireFormat.EXACT: 1e-4, WireFormat.BFLOAT16: 0.1, WireFormat.INT8: 0.25}
"""Error of an answer in float32, relative to its greatest value."""
_ITEMSIZE = 4
_PLACE = Place(device=torch.device("cpu"), dtype=torch.float32)


def main(arguments: Sequence[str]) -> None:
    """Check and time all ways; the first device prints what they took as one line of JSON."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    asked = json.loads(arguments[0])
    rank, num_ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group("gloo")
    group = distributed.group.WORLD
    if group is None:
        raise RuntimeError("torch.distributed made no default process group")
    connections = meet(group, rank, callers=range(rank), called=range(rank + 1, num_ranks))
    seat = Seat(
        rank=rank,
        num_ranks=num_ranks,
        group=group,
        connections=connections,
        place=_PLACE,
        clock=time.perf_counter_ns,
    )
    shape = GalaxyShape.from_problem(Problem(data=Shape.of(asked["data"]), model=Shape.of(asked["model"])))
    cluster = survey(shape, seat)  # before a ring reads what comes
    ring = Ring(rank, connections)
    run = _Run(rank=rank, ring=ring, cluster=cluster, num_tokens=shape.sequence)
    try:
        found = _ways(asked, shape.architecture, run)
    finally:
        ring.close()
    if rank == 0:
        print(json.dumps({"ways": found}), flush=True)
    distributed.destroy_process_group()


def plans(
    architecture: TransformerArchitecture, cluster: ClusterProfile, num_tokens: int
) -> dict[str, ParallelPlan]:
    """The plan of each way; every device finds the same."""
    return {
        "ours": plan_cluster(architecture, cluster, num_tokens, _ITEMSIZE).plan,
        "ours int8": plan_cluster(
            architecture, cluster, num_tokens, _ITEMSIZE, wires=(WireFormat.INT8,)
        ).plan,
        "heuristic": galaxys_heuristic(architecture, cluster, num_tokens, _ITEMSIZE),
        "megatron": even_split(architecture, cluster),
        "sequence": plan_cluster(
            architecture, cluster, num_tokens, _ITEMSIZE, strategies=(Strategy.SEQUENCE,)
        ).plan,
        "local": plan_cluster(
            architecture, cluster, num_tokens, _ITEMSIZE, strategies=(Strategy.LOCAL,)
        ).plan,
    }


def _ways(asked: Mapping[str, Any], architecture: TransformerArchitecture, run: "_Run") -> dict[str, Any]:
    cluster, num_tokens = run.cluster, run.num_tokens
    chosen = plans(architecture, cluster, num_tokens)
    chosen = {way: plan for way, plan in chosen.items() if way in asked["ways"]}
    errors = {way: run.check(architecture, plan) for way, plan in chosen.items()}
    took_ns: dict[str, list[int]] = {way: [] for way in chosen}
    for _ in range(asked["repeats"]):
        for way, plan in chosen.items():
            took_ns[way].append(run.took_ns(architecture, plan))
    return {
        way: _told(plan, forecast(architecture, plan, cluster, num_tokens, _ITEMSIZE), took_ns[way])
        | {"error": errors[way]}
        for way, plan in chosen.items()
    }


@dataclass(slots=True, kw_only=True)
class _Run:
    """All passes of one device; each is made by a plan of its own."""

    rank: int
    ring: Ring
    cluster: ClusterProfile
    num_tokens: int
    epoch: int = 0

    def check(self, architecture: TransformerArchitecture, plan: ParallelPlan) -> float:
        """Real layers, as many as soon are computed: how far the answer is from that of one device.

        Raises:
            RuntimeError: where it is another one.
        """
        error = self._error(architecture, plan)
        if not error <= TOLERATED[plan.wire]:
            raise RuntimeError(f"{plan.strategy} with {plan.wire} links is off by {error:.2g} of the answer")
        told = torch.tensor(error)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return float(told)

    def _error(self, architecture: TransformerArchitecture, plan: ParallelPlan) -> float:
        """On the device that has the answer; 0 on others."""
        few = replace(architecture, num_layers=CHECKED_LAYERS)
        parts = tuple(replace(part, layers=_few_layers(plan, place)) for place, part in enumerate(plan.parts))
        if plan.strategy is Strategy.PIPELINE and len(parts) > CHECKED_LAYERS:
            return 0.0  # a pipeline is never the plan here; each of its devices would need a layer
        executor = self._executor(few, replace(plan, parts=parts), is_paced=False)
        if executor is None:
            return 0.0
        tokens = torch.arange(CHECKED_TOKENS) % few.vocab_size
        answer = self._answered(executor, tokens)
        if answer is None:
            return 0.0
        undivided = Undivided(architecture=few, weights=executor.weights, place=_PLACE)
        return relative_error(answer, undivided.answer(tokens.tolist()))

    def took_ns(self, architecture: TransformerArchitecture, plan: ParallelPlan) -> int:
        """One request, from the tokens on the first device to the answer there."""
        executor = self._executor(architecture, plan, is_paced=self.cluster.pace is Pace.PACED)
        tokens = torch.zeros(self.num_tokens, dtype=torch.int64)
        if executor is not None and self.cluster.pace is Pace.REAL:
            self._answered(executor, tokens)  # what comes first is slower
        distributed.barrier()
        begin_ns = time.perf_counter_ns()
        if executor is not None:
            self._answered(executor, tokens)
        own_ns = time.perf_counter_ns() - begin_ns if plan.devices[0] == self.rank else 0
        told = torch.tensor(own_ns)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return int(told)

    def _answered(self, executor: Executor, tokens: Tensor) -> Tensor | None:
        with torch.inference_mode():
            told = executor.told(tokens if executor.plan.devices[0] == self.rank else None, len(tokens))
            return executor.forward(told, Layout(lengths=(len(tokens),)), Want.LAST_ROWS)

    def _executor(
        self, architecture: TransformerArchitecture, plan: ParallelPlan, *, is_paced: bool
    ) -> Executor | None:
        self.epoch += 1
        if self.rank not in plan.devices:
            return None
        return Executor(
            architecture=architecture,
            plan=plan,
            device=self.rank,
            weights=RandomWeights(architecture, 1),
            ring=self.ring,
            place=_PLACE,
            arithmetic=PacedArithmetic(time.perf_counter_ns) if is_paced else RealArithmetic(),
            profile=self.cluster.devices[self.rank],
            epoch=self.epoch,
        )


def _few_layers(plan: ParallelPlan, place: int) -> Span:
    """The layers of a device where there are few: one each in a pipeline, else all."""
    return Span(place, place + 1) if plan.strategy is Strategy.PIPELINE else Span(0, CHECKED_LAYERS)


def _told(plan: ParallelPlan, foreseen: Forecast, took_ns: Sequence[int]) -> dict[str, Any]:
    heads = ":".join(str(len(part.share.kv_heads)) for part in plan.parts)
    return {
        "took_ns": list(took_ns),
        "foreseen_ns": foreseen.latency_ns,
        "bound_ns": foreseen.bound_ns,
        "compute_ns": max(foreseen.compute_ns),
        "link_ns": max(foreseen.link_ns, default=0.0),
        "plan": f"{plan.strategy}, heads {heads}, {plan.num_tiles} tiles",
    }


if __name__ == "__main__":
    main(sys.argv[1:])
