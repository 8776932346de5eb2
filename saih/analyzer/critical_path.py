"""The critical path of every step: the phases of the rank that comes last, split by why they took so long.

Only what the last arriver does makes a step longer: others wait for it in the exchange, and what they lose
meanwhile costs nothing. Shapes: R ranks kept whole, S steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.storage_share import storage_shares
from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, Steps

Array = NDArray[np.float64]
DEVICE_PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER)
_BESIDE_EXCHANGE = tuple(phase for phase in ADDITIVE_PHASES if phase is not Phase.COMMUNICATION)


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
    phases = {phase: _rows(steps, phase) for phase in ADDITIVE_PHASES}
    last = last_arrivers(steps)
    columns = np.arange(steps.num_steps)
    own = {phase: row[last, columns] for phase, row in phases.items()}
    work = np.asarray(np.sum([phases[phase] for phase in DEVICE_PHASES], axis=0))
    delays = _delays(steps, work)
    useful = {phase: phases[phase] * (1 - _ratio(delays, work)) for phase in DEVICE_PHASES}
    excess = _excess(steps, useful, phases, last)
    total = sum(excess.values(), np.zeros(steps.num_steps))
    delay = delays[last, columns]
    crowded = np.minimum(delay, _loading(steps)[last, columns])
    shares = storage_shares(steps, input_bytes)[last]
    return CriticalPath(
        work={phase: useful[phase][last, columns] - excess[phase] for phase in DEVICE_PHASES},
        imbalance=total,
        starved=delay - crowded,
        crowded=crowded,
        storage=own[Phase.INPUT_WAIT] * shares,
        input_wait=own[Phase.INPUT_WAIT] * (1 - shares),
        transfer=own[Phase.COMMUNICATION],
        rows=last,
        imbalance_by_phase={phase: float(row.sum()) for phase, row in excess.items()},
        has_delays=Meter.WORK_RUN_DELAY in steps.meters,
    )


def last_arrivers(steps: Steps) -> NDArray[np.int64]:
    """The row that decides each step: the one that spends most of it outside the exchange."""
    return np.asarray(np.argmax(_busy(steps), axis=0), dtype=np.int64)


def has_meetings(steps: Steps) -> bool:
    """Whether ranks wait for each other: several of them, and an exchange that took any time."""
    exchanges = (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)
    known = [steps.duration_ns[phase] for phase in exchanges if phase in steps.duration_ns]
    return steps.num_ranks > 1 and any(any(map(any, rows)) for rows in known)


def _busy(steps: Steps) -> Array:
    return np.asarray(np.sum([_rows(steps, phase) for phase in _BESIDE_EXCHANGE], axis=0))


def _rows(steps: Steps, phase: Phase) -> Array:
    return np.asarray(steps.duration_ns[phase], dtype=np.float64)


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


def _excess(
    steps: Steps, useful: Mapping[Phase, Array], phases: Mapping[Phase, Array], last: NDArray[np.int64]
) -> dict[Phase, Array]:
    """By how much the work of the last arriver exceeds the mean of the others, by phase [S]."""
    nothing = {phase: np.zeros(steps.num_steps) for phase in DEVICE_PHASES}
    if not has_meetings(steps):
        return nothing
    columns = np.arange(steps.num_steps)
    over = {
        phase: row[last, columns] - _others(steps, row, phase, phases, last) for phase, row in useful.items()
    }
    later = _busy(steps)[last, columns] - sum(
        _others(steps, phases[phase], phase, phases, last) for phase in _BESIDE_EXCHANGE
    )
    positive = {phase: np.maximum(row, 0.0) for phase, row in over.items()}
    whole = sum(positive.values(), np.zeros(steps.num_steps))
    charged = np.clip(sum(over.values(), np.zeros(steps.num_steps)), 0.0, np.maximum(later, 0.0))
    part = _ratio(charged, whole)
    return {phase: row * part for phase, row in positive.items()}


def _others(
    steps: Steps, rows: Array, phase: Phase, phases: Mapping[Phase, Array], last: NDArray[np.int64]
) -> Array | float:
    """Mean over the other ranks at each step; of ranks not kept whole only their medians are known."""
    if steps.summary is None:
        own = rows[last, np.arange(steps.num_steps)]
        return np.asarray((rows.sum(axis=0) - own) / (len(rows) - 1))
    share = float(rows.sum() / phases[phase].sum()) if phases[phase].any() else 1.0
    return share * float(np.mean(steps.summary.median_ns[phase]))


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))
