"""Chooses how devices answer together: kind, subset, order, shares, rows, tiles, format; arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.galaxy.forecasting.forecast import Forecast
from workloads.galaxy.memory import Load
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.explanation import Explanation, Rejected, explained, rejections
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.remedy import remedy
from workloads.galaxy.planning.search import all_together, best_of_each
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, what it is foreseen to give, and why it is this one."""

    plan: ParallelPlan
    forecast: Forecast
    explanation: Explanation
    rejected: tuple[Rejected, ...]
    """Why it is none of the other kinds."""


def plan_cluster(  # noqa: PLR0913  # keywords that callers read by their names
    architecture: TransformerArchitecture,
    cluster: ClusterProfile,
    num_tokens: int,
    itemsize: int,
    *,
    wires: Sequence[WireFormat] = (WireFormat.EXACT,),
    strategies: Sequence[Strategy] = tuple(Strategy),
    num_new_tokens: int = 0,
    num_tiles: int = 0,
    reserve_bytes: int = 0,
) -> Planned:
    """The plan with the least forecast of those whose memory every device has.

    For one sequence of ``num_tokens``, behind which ``num_new_tokens`` are generated; ``itemsize`` is of
    one value [bytes]. Formats of ``wires`` may be used on links; rows are cut into ``num_tiles``, or into as
    many as are best (0); ``reserve_bytes`` of each device's memory are left alone. With up to 8 devices, no
    plan of fewer of them is foreseen to be faster.

    Raises:
        PlanError: when nothing fits, with what would; or for what no plan can do.
    """
    problem = PlanProblem(
        architecture=architecture,
        cluster=cluster,
        load=Load(num_tokens=num_tokens, itemsize=itemsize, num_new_tokens=num_new_tokens),
        wires=tuple(wires),
        strategies=tuple(strategies),
        num_tiles=num_tiles,
        reserve_bytes=reserve_bytes,
    )
    _check(problem)
    found = best_of_each(problem)
    if not found:
        raise PlanError(remedy(problem))
    best = min(found.values(), key=lambda one: one.latency_ns)
    foreseen, together = problem.forecast(best.plan), all_together(problem)
    return Planned(
        plan=best.plan,
        forecast=foreseen,
        explanation=explained(problem, best, foreseen, found, together),
        rejected=rejections(problem, best, found, together),
    )


def _check(problem: PlanProblem) -> None:
    load, num = problem.load, len(problem.cluster.devices)
    if not num or not problem.strategies or not problem.wires:
        raise PlanError(
            f"{num} devices, {len(problem.strategies)} kinds of parallelism and {len(problem.wires)} "
            "wire formats are given; give at least one of each."
        )
    if load.num_tokens < 1 or load.num_new_tokens < 0:
        raise PlanError(
            f"{load.num_tokens} tokens and {load.num_new_tokens} new ones are asked for; "
            "give at least 1 and 0."
        )
    longest = load.num_tokens + load.num_new_tokens
    if longest > problem.architecture.max_length:
        raise PlanError(
            f"{longest} tokens are asked for, but the model takes {problem.architecture.max_length}; "
            "shorten them."
        )
    if any(len(row) != num for row in problem.cluster.links) or len(problem.cluster.links) != num:
        raise PlanError(f"{num} devices need {num} x {num} links; give one for each two of them.")
