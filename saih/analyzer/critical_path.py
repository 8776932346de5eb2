"""The critical path of every step: the phases of the rank that comes last, split by why they took so long.

Only what the last arriver does makes a step longer: others wait for it in the exchange, and what they lose
meanwhile costs nothing. Shapes: P phases, R ranks kept whole, S steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.storage_share import storage_shares
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, RankSummary, Steps

Array = NDArray[np.float64]
DEVICE_PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER)
_DEVICE = [ADDITIVE_PHASES.index(phase) for phase in DEVICE_PHASES]
_WAIT, _EXCHANGE = ADDITIVE_PHASES.index(Phase.INPUT_WAIT), ADDITIVE_PHASES.index(Phase.COMMUNICATION)
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
        """All parts ``[10, S]``: work in the order of ``DEVICE_PHASES``, then the others as they are here."""
        rest = self.imbalance, self.starved, self.crowded, self.storage, self.input_wait, self.transfer
        return np.stack([*(self.work[phase] for phase in DEVICE_PHASES), *rest])


def critical_path(steps: Steps, input_bytes: int) -> CriticalPath:
    """Split every step; ``input_bytes`` are those of one batch of one rank, uncompressed.

    Imbalance is charged to the work of the last arriver only as far as the others waited for it, on average:
    where it came late because its input did, or because it was starved, these keep the time. Run delay counts
    in work alone, since ranks poll in exchanges.
    """
    phases_PRS = _phases(steps)
    busy = phases_PRS[_BESIDE_EXCHANGE].sum(axis=0)
    last, columns = np.argmax(busy, axis=0), np.arange(steps.num_steps)
    own = phases_PRS[:, last, columns]
    delays = _delays(steps, phases_PRS[_DEVICE].sum(axis=0))
    useful_PRS = phases_PRS[_DEVICE] * (1 - _ratio(delays, phases_PRS[_DEVICE].sum(axis=0)))
    excess = _excess(steps, useful_PRS, phases_PRS, last)
    delay = delays[last, columns]
    crowded = np.minimum(delay, _loading(steps)[last, columns])
    shares = storage_shares(steps, input_bytes)[last]
    work = useful_PRS[:, last, columns] - excess
    waiting = own[_WAIT]
    return CriticalPath(
        work=dict(zip(DEVICE_PHASES, work, strict=True)),
        imbalance=excess.sum(axis=0),
        starved=delay - crowded,
        crowded=crowded,
        storage=waiting * shares,
        input_wait=waiting * (1 - shares),
        transfer=own[_EXCHANGE],
        rows=last,
        imbalance_by_phase=dict(zip(DEVICE_PHASES, excess.sum(axis=1).tolist(), strict=True)),
        has_delays=Meter.WORK_RUN_DELAY in steps.meters,
    )


def last_arrivers(steps: Steps) -> NDArray[np.int64]:
    """The row that decides each step: the one that spends most of it outside the exchange."""
    return np.asarray(np.argmax(_phases(steps)[_BESIDE_EXCHANGE].sum(axis=0), axis=0), dtype=np.int64)


def has_meetings(steps: Steps) -> bool:
    """Whether ranks wait for each other: several of them, and an exchange that took any time."""
    exchanges = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)
    known = [steps.duration_ns[phase] for phase in exchanges if phase in steps.duration_ns]
    return steps.num_ranks > 1 and any(any(map(any, rows)) for rows in known)


def _phases(steps: Steps) -> Array:
    """Durations ``[P, R, S]`` of the additive phases, in their order."""
    return np.asarray([steps.duration_ns[phase] for phase in ADDITIVE_PHASES], dtype=np.float64)


def _meter(steps: Steps, meter: Meter) -> Array | None:
    rows = steps.meters.get(meter)
    return None if rows is None else np.asarray(rows, dtype=np.float64)


def _delays(steps: Steps, work: Array) -> Array:
    """Run delay of the work [R, S], at most the time in which the thread was on no processor."""
    delay, on_cpu = _meter(steps, Meter.WORK_RUN_DELAY), _meter(steps, Meter.WORK_ON_CPU)
    if delay is None:
        return np.zeros_like(work)
    idle = work if on_cpu is None else np.maximum(work - on_cpu, 0.0)
    return np.asarray(np.minimum(delay, idle))


def _loading(steps: Steps) -> Array:
    """Processor time of the loader for the batch of each step [R, S]; 0 where it was not recorded."""
    found = _meter(steps, Meter.PRODUCE_ON_CPU)
    return np.zeros((len(steps.step_ns), steps.num_steps)) if found is None else found


def _excess(steps: Steps, useful_PRS: Array, phases_PRS: Array, last: NDArray[np.int64]) -> Array:
    """By how much the work of the last arriver exceeds the mean of the others, by device phase ``[P, S]``."""
    if not has_meetings(steps):
        return np.zeros((len(useful_PRS), steps.num_steps))
    # Of ranks that were not kept whole the medians stand for all the others.
    medians = None if steps.summary is None else _medians(steps.summary)
    beside = phases_PRS[_BESIDE_EXCHANGE]
    later = _beyond(beside, last, None if medians is None else medians[_BESIDE_EXCHANGE]).sum(axis=0)
    over = _beyond(useful_PRS, last, None if medians is None else medians[_DEVICE])
    positive = np.maximum(over, 0.0)
    charged = np.clip(over.sum(axis=0), 0.0, np.maximum(later, 0.0))
    return np.asarray(positive * _ratio(charged, positive.sum(axis=0)))


def _beyond(rows_PRS: Array, last: NDArray[np.int64], medians_P: Array | None) -> Array:
    """Duration on the last arriver beyond the mean of the others ``[P, S]``, or beyond medians."""
    own = rows_PRS[:, last, np.arange(rows_PRS.shape[2])]
    if medians_P is not None:
        return np.asarray(own - medians_P[:, None])
    return np.asarray(own - (rows_PRS.sum(axis=1) - own) / (rows_PRS.shape[1] - 1))


def _medians(summary: RankSummary) -> Array:
    """Mean over all ranks of the median of each additive phase [P]."""
    return np.asarray([summary.median_ns[phase] for phase in ADDITIVE_PHASES], dtype=np.float64).mean(axis=1)


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
