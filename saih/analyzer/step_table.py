"""The durations of a record as arrays: made once for all who look at the same steps one after the other.

Shapes: R ranks kept whole, S steps, P phases in the order of the record; all in ns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, wraps
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, Steps

Array = NDArray[np.float64]
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True, eq=False)
class StepTable:
    """Nothing in it may be written to. What follows from it is found when first asked for, and kept."""

    whole: Array
    """Each step of each rank ``[R, S]``."""
    durations: Array
    """``[P, R, S]``."""
    phases: Mapping[Phase, Array]
    """The same by phase, ``[R, S]`` each."""
    slowest: Array
    """Each step as long as its slowest rank of all ``[S]``."""
    meters: Mapping[Meter, Array]
    """``[R, S]`` each."""
    kept: dict[tuple[object, int | None], object] = field(default_factory=dict)
    """What ``kept_with_table`` found."""

    @property
    def greatest(self) -> float:
        """The longest of all durations."""
        return float(max(self.whole.max(), self.durations.max()))

    @cached_property
    def additive(self) -> Array:
        """Durations of ``ADDITIVE_PHASES``, in their order ``[6, R, S]``.

        Raises:
            KeyError: where one of them was not recorded.
        """
        if tuple(self.phases)[: len(ADDITIVE_PHASES)] == ADDITIVE_PHASES:
            return self.durations[: len(ADDITIVE_PHASES)]
        return np.stack([self.phases[phase] for phase in ADDITIVE_PHASES])

    @cached_property
    def stage_wait(self) -> Array:
        """Waiting for other stages ``[R, S]``; 0 where it was not recorded."""
        found = self.phases.get(Phase.STAGE_WAIT)
        return np.zeros_like(self.whole) if found is None else found

    def at(self, rows: NDArray[np.int64]) -> Array:
        """Every phase at each step on the row given for that step ``[P, S]``."""
        return at_rows(self.durations, rows)


def at_rows(values: Array, rows: NDArray[np.int64]) -> Array:
    """``values`` ``[..., R, S]`` at each step on the row given for that step ``[..., S]``."""
    if values.shape[-2] == 1:  # many records are of one rank, and picking takes longer than a copy
        return np.asarray(np.asfortranarray(values[..., 0, :]))
    return np.asarray(values[..., rows, np.arange(values.shape[-1])])


def table_of(steps: Steps) -> StepTable:
    """The arrays of these steps, of which all tables must have the same shape."""
    return _table(_Same(steps))


def kept_with_table(
    find: Callable[[Steps, int | None], Found],
) -> Callable[[Steps, int | None], Found]:
    """``find`` of steps and of how many ranks meet, each looked for once while their table is at hand.

    Several parts of an analysis ask the same of a record one after the other.
    """

    @wraps(find)
    def known(steps: Steps, size: int | None = None) -> Found:
        kept = table_of(steps).kept
        key = find, size
        if key not in kept:
            kept[key] = find(steps, size)
        return kept[key]  # type: ignore[return-value]  # the key names who found it

    return known


class _Same:
    """Steps that are the same only as themselves: to compare them by value would take longer than a table."""

    __slots__ = ("steps",)

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.steps is self.steps

    def __hash__(self) -> int:
        return id(self.steps)


@lru_cache(maxsize=2)
def _table(same: _Same) -> StepTable:
    steps = same.steps
    # One conversion of everything: each takes longer than the numbers in it.
    every = np.array([steps.step_ns, *steps.duration_ns.values()], dtype=np.float64)
    every.flags.writeable = False
    whole, durations = every[0], every[1:]
    slowest = whole.max(axis=0) if steps.summary is None else np.array(steps.summary.slowest_ns, np.float64)
    return StepTable(
        whole=whole,
        durations=durations,
        phases=dict(zip(steps.duration_ns, durations, strict=True)),
        slowest=slowest,
        meters={meter: np.array(rows, dtype=np.float64) for meter, rows in steps.meters.items()},
    )
