"""How long the parts of a sweep will take: meant to be seldom exceeded, not to be exact."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from saih.domain.ceiling import Ceilings
from saih.domain.point import Placement, Point
from saih.planner.plan import PlannedPoint
from saih.planner.rate import rates_of
from workloads.protocol import Cost

KnownCeilings = Mapping[str, Ceilings]
"""Measured ceilings by the label of their placement."""
NO_CEILINGS: KnownCeilings = MappingProxyType({})
"""Where nothing was measured yet."""
OPENING_S = 3.0
"""Building a model, opening its data, and what first steps pay once."""
STEP_S = 0.003
"""What a step takes that has hardly any work: loading, the optimizer's many small tensors, the loop."""
CEILINGS_S = 55.0
"""Measuring the ceilings of one placement: 40 s of probes, preparing them, and their starts."""
ADDED_CEILINGS_S = 14.0
"""Measuring arithmetic alone in one more number format."""
_LAST_TRIAL_S = 20.0
"""What a search takes beyond its budget: a compiler is not stopped while it works."""
_START_S = 6.0
"""Python, torch and MPI come up; once for each job of ranks."""
_START_S_PER_RANK = 0.02
"""Every further rank reads the same libraries from the same file system."""
_NUM_JOBS = 3
"""Jobs of ranks on one placement: data sets, ceilings, measuring."""


def predict(point: Point, cost: Cost, ceilings: Ceilings | None = None) -> float:
    """Seconds of one point, between its start inside a running job and its outcome.

    It may end sooner, when its interval is narrow; longer than its budget and the fewest steps it never
    takes, unless its steps are slower than thought.
    """
    step = step_s(point, cost, ceilings)
    timing = point.timing
    wanted = min(timing.budget_s, timing.max_steps * step)
    # The budget is looked at between steps: the one that exceeds it is finished.
    measured = max(wanted + step, timing.min_steps * step)
    return OPENING_S + search_s(point) + timing.warmup_steps * step + measured


def search_s(point: Point) -> float:
    """Seconds of looking for the settings of a point, where it asks for that and nobody knows them."""
    return point.timing.search_budget_s + _LAST_TRIAL_S if point.execution.is_searched else 0.0


def step_s(point: Point, cost: Cost, ceilings: Ceilings | None = None) -> float:
    """Seconds of one step: its operations one after the other, its input beside them, its exchange after.

    Ranks that wait for others take as long as these.
    """
    rates = rates_of(point.placement, point.asked_precision, ceilings)
    operations = sum(
        operation.stretch
        * max(
            operation.flops / rates.flops_per_s,
            operation.memory_bytes / rates.memory_bytes_per_s,
            operation.num_kernels * rates.kernel_s,
        )
        for operation in cost.operations
    )
    num_exchanges = cost.num_exchanges + cost.num_awaited
    exchanged_bytes = cost.exchanged_bytes + cost.awaited_bytes
    exchange = num_exchanges * rates.reduce_s + exchanged_bytes / rates.reduce_bytes_per_s
    if point.exchange != "none":
        exchange += rates.reduce_s + cost.gradient_bytes / rates.reduce_bytes_per_s
    return STEP_S + max(operations, cost.input_bytes / rates.input_bytes_per_s) + exchange


def starting_s(placement: Placement) -> float:
    """Seconds until all ranks of a placement are at work."""
    return _START_S + _START_S_PER_RANK * placement.num_ranks


def preparing_s(placement: Placement, ceilings: Ceilings | None, precisions: Collection[str]) -> float:
    """Seconds that a placement costs before its first point: starts, and ceilings that are not known."""
    starts = _NUM_JOBS * starting_s(placement)
    unknown = [one for one in precisions if ceilings is None or one not in ceilings.tried_precisions]
    return starts + (CEILINGS_S + ADDED_CEILINGS_S * (len(unknown) - 1) if unknown else 0.0)


def generating_s(planned: Iterable[PlannedPoint], num_ranks: int) -> float:
    """Seconds for so many ranks to make every data set of these points."""
    costs = {one.point.problem.data: one.cost for one in planned}
    return sum(cost.dataset_core_s / min(num_ranks, max(1, cost.dataset_files)) for cost in costs.values())


def apart_s(planned: Sequence[PlannedPoint]) -> float:
    """Seconds of the job that makes the data sets of several batches before them, on one node."""
    fullest = max((one.point.placement for one in planned), key=lambda placement: placement.ranks_per_node)
    return generating_s(planned, fullest.ranks_per_node) + starting_s(fullest)
