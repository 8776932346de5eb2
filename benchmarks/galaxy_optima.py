"""The planner's plans against the exact optimum of the same forecast, one random cluster after the other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

from benchmarks.bars import judge
from benchmarks.galaxy_clusters import STRIDE, random_problem, seeded
from benchmarks.galaxy_optimum import optimum, ring_choices, sending_ns
from benchmarks.kept_results import Kept, each_result
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.planner import Planned
from workloads.galaxy.wire_format import WireFormat

Plan = Callable[[PlanProblem], Planned]
NEAR = 1.03
_LAYERS = 6
"""Of each model: all layers are alike, and each counts for every cut."""
_WIRES = ((WireFormat.EXACT,), (WireFormat.EXACT, WireFormat.BFLOAT16, WireFormat.INT8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The plan of one cluster and its optimum."""

    ratio: float
    """Latency of the plan over the optimum's; 1 where nothing is better by more than 3 %."""
    num_rings: int
    num_solved: int
    """Of the rings: those that their busiest link does not rule out."""


def near_optima(seed: int, num_clusters: int, plan: Plan, kept: Kept[int] | None, processes: int) -> bool:
    """Compare so many clusters, print what was found and judge."""
    compared = each_result(range(num_clusters), partial(_compared, seed, plan), kept, processes)
    found = [Compared(**result) for _, result in compared]
    worse = sorted(one.ratio for one in found if one.ratio > 1.0)
    print(
        f"{len(found)} clusters, {sum(one.num_rings for one in found)} rings, "
        f"{sum(one.num_solved for one in found)} of them solved; better by more than 3 %: {worse}"
    )
    return judge("galaxy-plan-over-optimum", max(one.ratio for one in found), "ratio", "<=", NEAR)


def _compared(seed: int, plan: Plan, index: int) -> dict[str, float]:
    problem, latency = _planned(seed * STRIDE + index, plan)
    least, num_rings, num_solved = latency, 0, 0
    for ring in ring_choices(problem):
        num_rings += 1
        if sending_ns(problem, ring) >= latency / NEAR:
            continue
        num_solved += 1
        best = optimum(problem, ring, latency / NEAR)
        if best is not None and best.least_ns < latency / NEAR:
            least = min(least, best.best_ns)
    return asdict(Compared(ratio=latency / least, num_rings=num_rings, num_solved=num_solved))


def _planned(seed: int, plan: Plan) -> tuple[PlanProblem, float]:
    """A cluster of 2 to 4 devices that a plan fits, and the latency of the plan [ns]."""
    random = seeded(seed)
    while True:
        problem = random_problem(random, random.choice((2, 3, 3, 4)))
        problem = replace(
            problem,
            architecture=replace(problem.architecture, num_layers=_LAYERS),
            load=replace(problem.load, num_new_tokens=0),
            wires=random.choice(_WIRES),
        )
        try:
            return problem, plan(problem).forecast.latency_ns
        except PlanError:
            continue
