"""Steps of ranks that meet in an exchange, made from causes of known size."""

from dataclasses import dataclass

import numpy as np

from saih.domain.record import ADDITIVE_PHASES, Meter, Phase, Steps

MS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """What one step is made of [ns]; every factor has the median 1."""

    work: float = 6 * MS
    """Forward and backward of a rank with a processor of its own."""
    transfer: float = 0.3 * MS
    slow: float = 1.0
    """Factor on the work of the last rank."""
    uneven: float = 0.0
    """Spread of the log of the work of each rank at each step: the data decide."""
    delay: float = 0.0
    """Time ready to run without a processor, as a share of the work."""
    decode: float = 1 * MS
    """Processor time of the loader for one batch."""
    read: float = 0.0
    """Time in which it stands still for storage."""
    read_bytes: float = 0.0
    crowded: bool = False
    """Whether the loader takes its processor time from the work."""


def meeting_steps(
    causes: Causes, generator: np.random.Generator, *, ranks: int = 2, count: int = 40
) -> Steps:
    """Steps in which all ranks wait for the last one; those that read ahead wait for what is not hidden."""
    noise = np.exp(0.02 * generator.standard_normal((5, ranks, count)))
    useful = causes.work * np.exp(causes.uneven * generator.standard_normal((ranks, count))) * noise[0]
    useful[-1] *= causes.slow
    loading = causes.decode * noise[1]
    delay = causes.delay * useful * noise[2] + (loading if causes.crowded else 0.0)
    busy = useful + delay
    produce = loading + causes.read * noise[3]
    wait = np.maximum(produce - busy - causes.transfer, 0.0)
    arrival = wait + busy
    rows = {
        Phase.INPUT_WAIT: wait,
        Phase.FORWARD: 0.4 * busy,
        Phase.BACKWARD: 0.6 * busy,
        Phase.COMMUNICATION: (arrival.max(axis=0) - arrival + causes.transfer * noise[4]) * (ranks > 1),
        Phase.OPTIMIZER: np.zeros_like(busy),
        Phase.OTHER: np.full_like(busy, 1e4),
        Phase.INPUT_PRODUCE: produce,
    }
    rows[Phase.COMMUNICATION_TOTAL] = rows[Phase.COMMUNICATION]
    meters = {
        Meter.WORK_ON_CPU: useful + 1e4,
        Meter.WORK_RUN_DELAY: delay,
        Meter.PRODUCE_ON_CPU: loading,
        Meter.PRODUCE_RUN_DELAY: np.zeros_like(busy),
        Meter.PRODUCE_STORAGE: np.full_like(busy, causes.read_bytes),
    }
    table = {phase: np.rint(row).astype(np.int64) for phase, row in rows.items()}
    whole = np.sum([table[phase] for phase in ADDITIVE_PHASES], axis=0)
    return Steps(
        duration_ns={phase: tuple(map(tuple, row.tolist())) for phase, row in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=tuple(np.linspace(1.0, 0.2, count + 3).tolist()),
        warmup_steps=3,
        meters={
            meter: tuple(map(tuple, np.rint(row).astype(np.int64).tolist())) for meter, row in meters.items()
        },
    )
