"""The timed rows of all ranks as the steps of a point: whole for few ranks, summarised for many.

Shapes: R ranks, S steps, P phases (``COLUMNS``), behind which M meters (``METERS``) may follow. Nothing
here holds more on rank 0 than every row of ``MAX_WHOLE`` ranks, or, beyond, P + 1 numbers of each rank and
three ranks' rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import Meter, Phase, RankSummary, Steps
from saih.harness.phases import COLUMNS, METERS, Rows, step_ns
from saih.machine.mpi import MPI

MAX_WHOLE = 64
"""Up to so many ranks the rows of every rank are kept."""
_ROWS_TAG = 2
Value = TypeVar("Value")


def gather_steps(
    comm: MPI.Intracomm, rows_SP: Rows, slowest_ns: Sequence[int], losses: Sequence[float]
) -> Steps | None:
    """The steps of all ranks, on rank 0; None elsewhere. Every rank calls it with its rows, without warm-up.

    ``slowest_ns`` (each of these steps on its slowest rank) and ``losses`` (mean over ranks, with warm-up)
    count on rank 0 only.
    """
    summary = None
    if comm.size <= MAX_WHOLE:
        rows_RSP = _gather(comm, rows_SP)
    else:
        medians_RM = _gather(comm, medians(rows_SP))
        kept = kept_ranks(medians_RM[:, 0]) if comm.rank == 0 else (0, 0, 0)
        rows_RSP, kept = _fetch(comm, rows_SP, kept)
        summary = rank_summary(medians_RM, kept, slowest_ns)
    if comm.rank != 0:
        return None
    steps = Steps(
        duration_ns={phase: _by_rank(rows_RSP[:, :, column]) for column, phase in enumerate(COLUMNS)},
        step_ns=_by_rank(step_ns(rows_RSP)),
        losses=tuple(losses),
        warmup_steps=len(losses) - len(rows_SP),
        summary=summary,
        meters=_meters(rows_RSP[:, :, len(COLUMNS) :]),
    )
    return steps if _has_stage_waits(steps) else _without_stage_waits(steps)


def medians(rows_SP: Rows) -> Rows:
    """Median whole step, then the median of each phase, of one rank [ns]."""
    columns = np.column_stack([step_ns(rows_SP), rows_SP[:, : len(COLUMNS)]])
    return np.rint(np.median(columns, axis=0)).astype(np.int64)


def kept_ranks(median_step_ns: Rows) -> tuple[int, ...]:
    """The slowest, the median and the fastest rank; of equal ones the first in each place is taken."""
    order = np.argsort(median_step_ns, kind="stable")
    return int(order[-1]), int(order[len(order) // 2]), int(order[0])


def rank_summary(medians_RM: Rows, kept: tuple[int, ...], slowest_ns: Sequence[int]) -> RankSummary:
    """All ranks in their medians."""
    columns = medians_RM.T.tolist()
    return RankSummary(
        num_ranks=len(medians_RM),
        kept=kept,
        slowest_ns=tuple(slowest_ns),
        median_step_ns=tuple(columns[0]),
        median_ns={phase: tuple(columns[1 + index]) for index, phase in enumerate(COLUMNS)},
    )


def _has_stage_waits(steps: Steps) -> bool:
    """Whether any rank ever waited for other stages of its model."""
    medians_ns = () if steps.summary is None else steps.summary.median_ns[Phase.STAGE_WAIT]
    return any(medians_ns) or any(any(row) for row in steps.duration_ns[Phase.STAGE_WAIT])


def _without_stage_waits(steps: Steps) -> Steps:
    summary = steps.summary
    if summary is not None:
        summary = replace(summary, median_ns=_without(summary.median_ns))
    return replace(steps, duration_ns=_without(steps.duration_ns), summary=summary)


def _without(phases: Mapping[Phase, Value]) -> dict[Phase, Value]:
    return {phase: rows for phase, rows in phases.items() if phase is not Phase.STAGE_WAIT}


def _fetch(comm: MPI.Intracomm, rows_SP: Rows, kept: tuple[int, ...]) -> tuple[Rows, tuple[int, ...]]:
    """The rows of the ranks that rank 0 wants to keep, stacked, on rank 0; undefined elsewhere."""
    wanted = np.array(kept, dtype=np.int64)
    comm.Bcast(wanted, root=0)
    found = np.zeros((len(wanted), *rows_SP.shape), dtype=np.int64)
    own = np.ascontiguousarray(rows_SP)
    for place, rank in enumerate(wanted.tolist()):
        if comm.rank == 0 and rank == 0:
            found[place] = own
        elif comm.rank == 0:
            comm.Recv(found[place], source=rank, tag=_ROWS_TAG)
        elif comm.rank == rank:
            comm.Send(own, dest=0, tag=_ROWS_TAG)
    return found, tuple(wanted.tolist())


def _gather(comm: MPI.Intracomm, part: NDArray[Any]) -> NDArray[Any]:
    """The part of every rank, stacked, on rank 0; nothing elsewhere."""
    everything = np.empty((comm.size if comm.rank == 0 else 0, *part.shape), dtype=part.dtype)
    comm.Gather(np.ascontiguousarray(part), everything if comm.rank == 0 else None, root=0)
    return everything


def _meters(values_RSM: NDArray[np.int64]) -> dict[Meter, tuple[tuple[int, ...], ...]]:
    """Those that every rank could read at every step."""
    return {
        meter: _by_rank(values_RSM[:, :, column])
        for column, meter in enumerate(METERS[: values_RSM.shape[2]])
        if values_RSM[:, :, column].min() >= 0
    }


def _by_rank(values_RS: Rows) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in values_RS.tolist())
