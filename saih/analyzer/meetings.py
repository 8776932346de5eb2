"""Which ranks of a record wait for each other: of a model that ranks divide, only those of one replica.

Of these a plan may leave some out, which then neither work nor wait: they meet nobody.

Shapes: R ranks kept whole, S steps. ``size`` is how many ranks meet (``Point.ranks_that_meet``), of which the
i-th group has those from ``i * size`` on; None where all do.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.step_table import kept_with_table, table_of
from saih.domain.record import Phase, Steps

Array = NDArray[np.float64]
_MEETINGS = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL, Phase.STAGE_WAIT)
_WAITS = (Phase.COMMUNICATION, Phase.STAGE_WAIT)
_LEAST_WAIT = 0.01
"""Of the step of the busiest rank; less is no waiting for others."""
_LEAST_STEP = 0.5
"""Of the same: who works and meets others takes as long as they do, even where they only wait for it."""


@kept_with_table
def has_meetings(steps: Steps, size: int | None) -> bool:
    """Whether ranks wait for each other: several of them, and an exchange or a wait that took any time."""
    count = size or steps.num_ranks
    if min(steps.num_ranks, count) < 2:
        return False
    phases = table_of(steps).phases
    if not any(bool(phases[phase].any()) for phase in _MEETINGS if phase in phases):
        return False
    met = np.flatnonzero(ranks_that_met(steps, size))
    return bool(np.bincount(met // count).max() >= 2)


@kept_with_table
def rows_that_met(steps: Steps, size: int | None) -> NDArray[np.bool_]:
    """Whether each row works with others ``[R]``; False for a rank that its plan leaves out, never for all.

    Such a rank neither waits for others, nor do its steps last as long as theirs.
    """
    table = table_of(steps)
    if len(table.whole) == 1:
        return np.ones(1, dtype=np.bool_)
    waited = np.sum([table.phases[phase] for phase in _WAITS if phase in table.phases], axis=0)
    return _have_met(np.median(table.whole, axis=1), waited.mean(axis=1), groups_of(steps, size))


def ranks_that_met(steps: Steps, size: int | None = None) -> NDArray[np.bool_]:
    """The same of all ranks, whether or not they were kept whole."""
    summary = steps.summary
    if summary is None:
        return rows_that_met(steps, size)
    waited = [summary.median_ns[phase] for phase in _WAITS if phase in summary.median_ns]
    groups = np.arange(summary.num_ranks) // (size or summary.num_ranks)
    whole = np.array(summary.median_step_ns, dtype=np.float64)
    return _have_met(whole, np.sum(waited, axis=0, dtype=np.float64), groups)


def groups_of(steps: Steps, size: int | None = None) -> NDArray[np.int64] | None:
    """The number of the group of each row ``[R]``; None where all rows are of one."""
    if size is None or size >= steps.num_ranks:
        return None
    ranks = np.arange(len(steps.step_ns)) if steps.summary is None else np.array(steps.summary.kept)
    return np.asarray(ranks // size, dtype=np.int64)


def circles_of(steps: Steps, size: int | None = None) -> NDArray[np.int64] | None:
    """As ``groups_of``, but each row that works with nobody is a group of its own."""
    groups, met = groups_of(steps, size), rows_that_met(steps, size)
    if met.all():
        return groups
    found = np.zeros(len(met), dtype=np.int64) if groups is None else groups.copy()
    found[~met] = found.max() + 1 + np.arange(np.count_nonzero(~met))
    return found


def over_groups(reduce: Callable[..., Array], values: Array, groups: NDArray[np.int64] | None) -> Array:
    """``values`` ``[R, ...]`` reduced over the rows of each group, such as by ``np.max``, for each row.

    One row stands for all where there is one group.
    """
    if groups is None:
        return np.asarray(reduce(values, axis=0))[None]
    found = np.empty_like(values)
    for group in np.unique(groups):
        found[groups == group] = reduce(values[groups == group], axis=0)
    return found


def _have_met(whole: Array, waited: Array, groups: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """``whole`` steps and what of them is waiting, of each rank [ns]."""
    longest = over_groups(np.max, whole, groups)
    return np.asarray((waited > _LEAST_WAIT * longest) | (whole >= _LEAST_STEP * longest))
