"""Sentences on what ranks wait for: one that comes late, and storage."""

from collections.abc import Mapping

import numpy as np

from saih.analyzer.critical_path import DEVICE_PHASES, CriticalPath
from saih.analyzer.meetings import has_meetings, ranks_that_met
from saih.analyzer.step_table import table_of
from saih.analyzer.storage_share import is_from_storage, standing_still
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import in_seconds, percent, with_si
from saih.domain.record import Meter, Phase, Steps

_LEAST_SHARE = 0.01
"""Of a step; less is not worth a sentence."""
_LEAST_BLOCKED = 0.05
"""Of the work."""


def imbalance_words(path: CriticalPath, steps: Steps, share: float, size: int) -> list[str]:
    """Which rank of the ``size`` that may meet comes last how often, and in which phase it loses the time."""
    if share < _LEAST_SHARE or not has_meetings(steps, size):
        return []
    counts = np.bincount(path.rows, minlength=len(steps.step_ns))
    row = int(np.argmax(counts))
    rank = row if steps.summary is None else steps.summary.kept[row]
    count = np.count_nonzero(ranks_that_met(steps, size)[rank // size * size :][:size])
    often = percent(float(counts[row] / counts.sum()))
    phases = _ranked(path.imbalance_by_phase)
    where = "" if Phase.STAGE_WAIT in steps.duration_ns else " in the exchange"
    text = (
        f"The last of {count} ranks works {percent(share)} of the step longer than the others, which wait "
        f"for it{where}; it is rank {rank} in {often} of the steps, and it loses the time in {phases}."
    )
    return [text]


def stage_words(waited_ns: float, step_ns: float) -> list[str]:
    """What even the stage that waits least waits for others, ``waited_ns`` of a step of ``step_ns``."""
    if waited_ns < _LEAST_SHARE * step_ns:
        return []
    text = (
        f"Even the stage that waits least waits {in_seconds(waited_ns)} of the step "
        f"({percent(waited_ns / step_ns)}) for others: the pipeline fills and drains, or fewer passes are "
        "under way than would keep it full. It counts as load imbalance: no faster link would shorten it."
    )
    return [text]


def blocked_words(path: CriticalPath, steps: Steps) -> list[str]:
    """How much of the work its thread stood still though nobody had taken its processor."""
    table = table_of(steps)
    on_cpu, delay = (table.meters.get(one) for one in (Meter.WORK_ON_CPU, Meter.WORK_RUN_DELAY))
    if on_cpu is None or delay is None:
        return []
    columns = np.arange(steps.num_steps)
    work = sum(float(table.phases[phase][path.rows, columns].sum()) for phase in DEVICE_PHASES)
    busy = sum(float(meter[path.rows, columns].sum()) for meter in (on_cpu, delay))
    share = 1 - busy / work if work > 0 else 0.0
    if share < _LEAST_BLOCKED:
        return []
    text = (
        f"For {percent(share)} of the work or more its thread stood still and wanted no processor: locks, "
        "page faults, or waiting for other threads or a device."
    )
    return [text]


def storage_words(steps: Steps, input_bytes: int, share: Interval, ceilings: Ceilings | None) -> list[str]:
    """How fast batches came from storage, against the measured reading of it."""
    table, standing = table_of(steps), standing_still(steps)
    read = table.meters.get(Meter.PRODUCE_STORAGE)
    if share.value < _LEAST_SHARE or read is None or standing is None:
        return []
    cold = is_from_storage(steps, input_bytes)
    taken, waited = float(read[cold].mean()), float(standing[cold].mean())
    making = float(table.phases[Phase.INPUT_PRODUCE][cold].mean())
    rate = taken / waited * 1e9 * steps.num_ranks if waited > 0 else 0.0
    text = (
        f"Storage gave {with_si(taken, 'B')} of a batch; its loader stood still for "
        f"{percent(waited / making)} of the making, so that all ranks together read "
        f"{with_si(rate, 'B/s')} meanwhile"
    )
    return [f"{text}{_ceiling_words(ceilings, taken)}."]


def _ceiling_words(ceilings: Ceilings | None, size: float) -> str:
    names = ((CeilingKind.STORAGE_COLD, "uncached"), (CeilingKind.STORAGE_READ, "cached"))
    curves = [
        f"{with_si(curve.at(size), 'B/s')} {name}"
        for kind, name in names
        if ceilings is not None and (curve := ceilings.curve(kind)) is not None
    ]
    return f"; the measured ceiling of reads is {' and '.join(curves)}" if curves else ""


def _ranked(durations: Mapping[Phase, float]) -> str:
    """Phases that lose a tenth of it or more, the largest first."""
    whole = sum(durations.values())
    parts = sorted(durations.items(), key=lambda item: -item[1])
    return " and ".join(
        f"{phase} ({percent(value / whole)})" for phase, value in parts if value >= 0.1 * whole
    )
