"""How the points of a plan are executed, and why some cannot be."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from augment.problem import ProblemError
from saih.domain.point import Point
from saih.domain.sweep import Sweep
from saih.domain.trend import EXECUTION_LABEL
from saih.planner.seats import Seats
from workloads.execution import PLAIN, Execution
from workloads.protocol import Cost, Workload
from workloads.tunable import RankSetting, Tunable

_STATES_PER_PARAMETER = 3
"""Weight, gradient and momentum."""


def executed(sweep: Sweep, seats: Seats) -> Iterator[tuple[Execution, Seats]]:
    """Every execution of a sweep, with seats that are labelled by it where there are several."""
    several = len(sweep.executions) > 1
    for execution in sweep.executions:
        label: Mapping[str, str] = {EXECUTION_LABEL: execution.label} if several else {}
        yield execution, replace(seats, labels={**seats.labels, **label})


def with_search(cost: Cost, point: Point) -> Cost:
    """The cost with what a search holds: a second model stands ready while the first is stepped.

    On a GPU, where a search is told that memory ran out, two that do not fit are timed one at a time.
    """
    if not point.execution.is_searched or point.placement.device == "cuda":
        return cost
    second = _STATES_PER_PARAMETER * cost.gradient_bytes
    return replace(cost, peak_memory_bytes=cost.peak_memory_bytes + second)


def execution_notes(sweep: Sweep) -> Iterator[str]:
    """What a user should know of executions before they run."""
    searched = [one.name for one in sweep.executions if one.is_searched]
    if searched:
        yield (
            f"{' and '.join(searched)}: before such a point its fastest settings are searched, which takes "
            f"up to {sweep.timing.search_budget_s:g} s, once for the same problem, batch and placement."
        )


def execution_refusal(point: Point, application: Workload) -> str:
    """Why no rank can execute the steps of a point as it asks; empty where one may be able to."""
    placement = point.placement
    if not isinstance(application, Tunable):
        if point.execution == PLAIN:
            return ""
        asked = point.execution.label
        return f"{application.name} runs its steps in one way, not {asked}; remove run.execution."
    setting = RankSetting(
        precision=point.precision,
        device=placement.device,
        exchange=point.exchange,
        num_threads=placement.threads_per_rank,
        degrees=placement.degrees,
    )
    try:
        application.check_execution(point.execution, setting)
    except ProblemError as error:
        return str(error)
    if point.execution.graph == "step" and placement.num_ranks > 1:
        return "graph is step on several ranks, but steps are recorded for a single rank only; use none."
    return ""
