"""As which a record ran: its number format and the other settings of its execution."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Literal, get_args, get_origin, get_type_hints

from saih.domain.point import Point
from saih.domain.record import Record
from saih.domain.tuning import execution_of
from workloads.execution import Execution, settled
from workloads.precision import Precision
from workloads.protocol import Cost, Workload
from workloads.tunable import Tunable

_MOST = 10**6
"""No number of threads or MiB of an execution is as large."""
_PRECISIONS = tuple(Precision)


def ran_execution(record: Record) -> Execution:
    """The settings in which a record was measured; those it asked for, where its notes do not tell."""
    try:
        found = execution_of(record.point, record.result.notes)
    except ValueError:
        return settled(record.point.execution, record.point.precision)
    return found if _makes_sense(found) else settled(record.point.execution, record.point.precision)


def untold_execution(record: Record) -> str:
    """Why a completed record cannot be held against anything: nobody knows as what it ran. Empty if told."""
    point = record.point
    if not point.execution.is_searched:
        return ""
    try:
        is_told = _makes_sense(execution_of(point, record.result.notes))
    except ValueError:
        is_told = False
    if is_told:
        return ""
    return (
        f"it ran as {point.execution.name}, and its notes do not tell with which settings, so that not even "
        "its number format is known; measure the point again"
    )


def as_run(point: Point, execution: Execution) -> Point:
    """The point in the number format in which it was measured."""
    is_asked = execution.precision == point.precision
    return point if is_asked else replace(point, precision=execution.precision)


def cost_of(record: Record, workload: Workload) -> Cost:
    """Analytic cost of one step of this record on one rank, as it was executed.

    Raises:
        ProblemError: for a problem that cannot be built, or divided as its placement asks.
    """
    return cost_as(record.point, ran_execution(record), workload)


def cost_as(point: Point, execution: Execution, workload: Workload) -> Cost:
    """As ``cost_of``, of a point that ran with this execution."""
    if isinstance(workload, Tunable):
        return workload.cost(
            point.problem,
            batch_per_rank=point.batch_per_rank,
            precision=execution.precision,
            degrees=point.placement.degrees,
            execution=execution,
        )
    return workload.cost(
        point.problem,
        batch_per_rank=point.batch_per_rank,
        precision=execution.precision,
        degrees=point.placement.degrees,
    )


def _makes_sense(execution: Execution) -> bool:
    """Whether every setting is one that there is: notes may come from elsewhere."""
    return execution.precision in _PRECISIONS and all(
        _fits(getattr(execution, name), kind) for name, kind in _kinds().items()
    )


@lru_cache(maxsize=1)
def _kinds() -> Mapping[str, object]:
    """What each setting may be: a type, or a tuple of values; reading hints takes longer than a check."""
    hints = get_type_hints(Execution)
    return {name: get_args(kind) if get_origin(kind) is Literal else kind for name, kind in hints.items()}


def _fits(value: object, kind: object) -> bool:
    if isinstance(kind, tuple):
        return value in kind
    if kind is int:
        return type(value) is int and 0 <= value <= _MOST
    return isinstance(value, str)
