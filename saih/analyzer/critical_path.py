"""The critical path of every step: the phases of the rank that comes last, split by why they took so long.

Only what the last arriver does makes a step longer: others wait for it in the exchange, and what they lose
meanwhile costs nothing. Shapes: P phases, R ranks kept whole, S steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.meetings import groups_of, has_meetings, ranks_that_met, rows_that_met
from saih.analyzer.step_table import at_rows, kept_with_table, table_of
from saih.analyzer.storage_share import storage_shares
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, RankSummary, Steps

Array = NDArray[np.float64]
DEVICE_PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER)
_DEVICE = [ADDITIVE_PHASES.index(phase) for phase in DEVICE_PHASES]
_WAIT, _EXCHANGE = ADDITIVE_PHASES.index(Phase.INPUT_WAIT), ADDITIVE_PHASES.index(Phase.COMMUNICATION)
_SAME_WAIT = 0.05
"""Of a step: ranks whose waits for other stages differ by less wait alike, as those of one stage do."""
_BESIDE_EXCHANGE = [index for index in range(len(ADDITIVE_PHASES)) if index != _EXCHANGE]


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalPath:
    """Parts of each step [S] in ns on its last arriver; they sum to that rank's step."""

    work: Mapping[Phase, Array]
    """Device phases as they are on the other ranks, on a processor of their own."""
    imbalance: Array
    """Work of the last arriver beyond the mean of the others, as far as they waited for it."""
    starved: Array
    """Its work ready to run without a processor, beyond what its own loader had."""
    crowded: Array
    """The same while its own loader had the processor: input that is not hidden but in the way."""
    storage: Array
    """Waiting for input while storage was read."""
    input_wait: Array
    """Other waiting for input."""
    staged: Array
    """Waiting for other stages of its pipeline, none of which is busier over the step."""
    transfer: Array
    """Exposed exchange of the rank for which nobody has to be waited."""
    rows: NDArray[np.int64]
    """The row of the last arriver."""
    imbalance_by_phase: Mapping[Phase, float]
    """Total imbalance by the phase in which the last arriver lost it [ns]."""
    has_delays: bool
    """Whether it was recorded when work was ready to run without a processor."""

    @property
    def table(self) -> Array:
        """All parts ``[11, S]``: work in the order of ``DEVICE_PHASES``, then the others as they are here."""
        waits = self.storage, self.input_wait, self.staged, self.transfer
        work = (self.work[phase] for phase in DEVICE_PHASES)
        return np.array([*work, self.imbalance, self.starved, self.crowded, *waits])


def critical_path(steps: Steps, input_bytes: int, size: int | None = None) -> CriticalPath:
    """Split every step; ``input_bytes`` are those of a batch of one rank, uncompressed. ``size`` ranks meet.

    Imbalance is charged to the work of the last arriver only as far as the others waited for it, on average:
    where it came late because its input did, or because it was starved, these keep the time. Run delay counts
    in work alone, since ranks poll in exchanges.
    """
    table, phases_PRS = table_of(steps), table_of(steps).additive
    last = last_arrivers(steps, size)
    own, device_PRS = at_rows(phases_PRS, last), phases_PRS[_DEVICE]
    device_RS = device_PRS.sum(axis=0)
    delays = _delays(steps, device_RS)
    useful_PRS = device_PRS * (1 - _ratio(delays, device_RS))
    excess = _excess(steps, useful_PRS, last, size)
    delay = at_rows(delays, last)
    crowded = np.minimum(delay, at_rows(_loading(steps), last))
    shares = storage_shares(steps, input_bytes)[last]
    work = at_rows(useful_PRS, last) - excess
    waiting = own[_WAIT]
    return CriticalPath(
        work=dict(zip(DEVICE_PHASES, work, strict=True)),
        imbalance=excess.sum(axis=0),
        starved=delay - crowded,
        crowded=crowded,
        storage=waiting * shares,
        input_wait=waiting * (1 - shares),
        staged=at_rows(table.stage_wait, last),
        transfer=own[_EXCHANGE],
        rows=last,
        imbalance_by_phase=dict(zip(DEVICE_PHASES, excess.sum(axis=1).tolist(), strict=True)),
        has_delays=Meter.WORK_RUN_DELAY in steps.meters,
    )


@kept_with_table
def last_arrivers(steps: Steps, size: int | None) -> NDArray[np.int64]:
    """The row that decides each step: the one that spends most of it outside the exchange.

    Of several groups of ``size`` ranks that never meet, only the one with the longest step counts; of the
    stages of a pipeline, only those that wait least for others: while one exchanges, it does not wait. Ranks
    that a plan leaves out decide nothing.
    """
    table, groups = table_of(steps), groups_of(steps, size)
    if len(table.whole) == 1:
        return np.zeros(steps.num_steps, dtype=np.int64)
    busy = table.additive[_BESIDE_EXCHANGE].sum(axis=0)
    is_out = np.broadcast_to(~rows_that_met(steps, size)[:, None], busy.shape).copy()
    if groups is not None:
        is_out |= groups[:, None] != groups[table.whole.argmax(axis=0)]
    if Phase.STAGE_WAIT in table.phases:
        waits = np.where(is_out, np.inf, table.stage_wait)
        is_out |= waits > waits.min(axis=0) + _SAME_WAIT * table.whole
    return np.asarray(np.argmax(np.where(is_out, -1.0, busy), axis=0), dtype=np.int64)


def _delays(steps: Steps, work: Array) -> Array:
    """Run delay of the work [R, S], at most the time in which the thread was on no processor.

    Short steps share one reading in equal parts (``WorkMeter``). What it tells is charged to those of its
    steps that were longer than their time on a processor: one that lost a turn, not the six beside it.
    """
    meters = table_of(steps).meters
    delay, on_cpu = meters.get(Meter.WORK_RUN_DELAY), meters.get(Meter.WORK_ON_CPU)
    if delay is None:
        return np.zeros_like(work)
    if on_cpu is None:
        return np.asarray(np.minimum(delay, work))
    idle = np.maximum(work - on_cpu, 0.0)
    begins, lengths = _readings(delay, on_cpu)
    told, room = (np.add.reduceat(part.reshape(-1), begins) for part in (delay, idle))
    return np.asarray(idle * np.repeat(np.minimum(_ratio(told, room), 1.0), lengths).reshape(idle.shape))


def _readings(*meters: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each reading begins in meters [R, S] one row after the other, and how many steps share it.

    Equal parts of whole ns differ by at most one.
    """
    is_new = np.ones(meters[0].shape, dtype=np.bool_)
    is_new[:, 1:] = np.any([np.abs(np.diff(meter, axis=1)) > 1 for meter in meters], axis=0)
    begins = np.flatnonzero(is_new)
    return begins, np.diff(begins, append=is_new.size)


def _loading(steps: Steps) -> Array:
    """Processor time of the loader for the batch of each step [R, S]; 0 where it was not recorded."""
    table = table_of(steps)
    found = table.meters.get(Meter.PRODUCE_ON_CPU)
    return np.zeros_like(table.whole) if found is None else found


def _excess(steps: Steps, useful_PRS: Array, last: NDArray[np.int64], size: int | None) -> Array:
    """By how much the work of the last arriver exceeds the mean of the others, by device phase ``[P, S]``."""
    if not has_meetings(steps, size):
        return np.zeros((len(useful_PRS), steps.num_steps))
    beside = table_of(steps).additive[_BESIDE_EXCHANGE]
    if steps.summary is None:
        mates_RS = _mates(steps, last, size)
        later = _beyond(beside, last, mates_RS).sum(axis=0)
        over = _beyond(useful_PRS, last, mates_RS)
    else:
        # Of ranks that were not kept whole the medians stand for all the others.
        groups = np.array(steps.summary.kept)[last] // (size or steps.num_ranks)
        medians_PS = _medians(steps.summary, ranks_that_met(steps, size), size)[:, groups]
        columns = np.arange(steps.num_steps)
        later = (beside[:, last, columns] - medians_PS[_BESIDE_EXCHANGE]).sum(axis=0)
        over = useful_PRS[:, last, columns] - medians_PS[_DEVICE]
    positive = np.maximum(over, 0.0)
    charged = np.clip(over.sum(axis=0), 0.0, np.maximum(later, 0.0))
    return np.asarray(positive * _ratio(charged, positive.sum(axis=0)))


def _mates(steps: Steps, last: NDArray[np.int64], size: int | None) -> NDArray[np.bool_] | None:
    """Which rows meet the last arriver of each step, itself among them ``[R, S]``; None: all."""
    groups, met = groups_of(steps, size), rows_that_met(steps, size)
    if groups is None:
        return None if met.all() else np.repeat(met[:, None], len(last), axis=1)
    return np.asarray((groups[:, None] == groups[last]) & met[:, None])


def _beyond(rows_PRS: Array, last: NDArray[np.int64], mates_RS: NDArray[np.bool_] | None) -> Array:
    """Duration on the last arriver beyond the mean of the others that it meets ``[P, S]``; None: of all."""
    own = rows_PRS[:, last, np.arange(rows_PRS.shape[2])]
    if mates_RS is None:
        return np.asarray(own - (rows_PRS.sum(axis=1) - own) / (rows_PRS.shape[1] - 1))
    others, count = (rows_PRS * mates_RS).sum(axis=1) - own, mates_RS.sum(axis=0) - 1
    return np.asarray(np.where(count > 0, own - others / np.maximum(count, 1), 0.0))


def _medians(summary: RankSummary, met: NDArray[np.bool_], size: int | None) -> Array:
    """Mean over the ranks of each group that ``met`` of the median of each additive phase ``[P, groups]``."""
    medians = np.array([summary.median_ns[phase] for phase in ADDITIVE_PHASES], dtype=np.float64)
    shape = -1, size or summary.num_ranks
    found = (medians * met).reshape(len(medians), *shape).sum(axis=2)
    return np.asarray(found / met.reshape(shape).sum(axis=1))


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
