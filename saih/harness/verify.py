"""Switching inside one run: windows of steps without and with an intervention, on all ranks at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from saih.domain.contention import Contention, Pressure
from saih.domain.interval import median
from saih.domain.point import Meeting
from saih.domain.record import Meter, Phase
from saih.domain.verification import (
    NOTHING,
    CpuContention,
    Intervention,
    Pair,
    Toggle,
    ToggleRun,
    VerifyPlan,
)
from saih.harness.feed import Feed, open_feed
from saih.harness.intervention import SwitchedSession
from saih.harness.intervention_load import Load, priced_loads
from saih.harness.measure import Instruments, TimedSession
from saih.harness.phases import COLUMNS, METERS, Rows, step_ns
from saih.harness.processor_log import ProcessorLog, worst
from saih.harness.verify_schedule import (
    Calibration,
    Slot,
    num_settle_steps,
    num_window_steps,
    schedule,
    toggles_of,
)
from saih.machine.messages import broadcast, gather, greatest
from saih.machine.mpi import MPI
from saih.machine.processor_pressure import some_pressure_ns

_BLOCK = 4
"""Steps whose mean is one look at how long a step is."""
_CALIBRATION_STEPS = 4 * _BLOCK
_MEETING = [COLUMNS.index(phase) for phase in (Phase.COMMUNICATION, Phase.STAGE_WAIT)]
_PRODUCE = COLUMNS.index(Phase.INPUT_PRODUCE)
OnPair = Callable[[int, int, Toggle], None]
"""Told how many pairs of how many are done, and what was switched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """What switching gave; whole on rank 0, empty elsewhere."""

    runs: tuple[ToggleRun, ...]
    off_phases_ns: Mapping[Phase, float]
    contention: CpuContention
    num_diverged: int
    """Pairs that were dropped since a loss was not finite in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How to switch one session."""

    plan: VerifyPlan
    seed: int
    warmup_steps: int
    device: str
    meeting: Meeting
    """What the ranks of this point wait for each other for."""


def switch_session(
    session: SwitchedSession, order: Order, instruments: Instruments, on_pair: OnPair
) -> Switching:
    """Run all windows of a session; every rank calls it and switches before the same step.

    The seed decides the order on all ranks alike; rank 0 decides the doses. Steps after each switch are
    dropped, and weights begin anew with every window, so that no window depends on those before it.
    """
    with open_feed(session.produce, instruments.feeding) as feed:
        windows = _Windows(session, feed, instruments)
        found, steps = _calibrated(windows, order, instruments)
        loads = priced_loads(order.device, instruments.clock)
        toggles = toggles_of(order.plan, found)
        slots = schedule(toggles, order.plan, order.seed)
        pairs: list[list[Pair]] = [[] for _ in toggles]
        num_diverged = 0
        for index, slot in enumerate(slots):
            toggle = toggles[slot.toggle]
            on_pair(index, len(slots), toggle)
            settle = num_settle_steps(order.plan, found, toggle)
            pair = windows.pair(toggle, slot, loads, (settle, steps))
            if pair is None:
                num_diverged += 1
            else:
                pairs[slot.toggle].append(pair)
        session.switch(NOTHING, loads, instruments.clock)
    return Switching(
        runs=tuple(
            ToggleRun(toggle=toggle, pairs=tuple(own)) for toggle, own in zip(toggles, pairs, strict=True)
        ),
        off_phases_ns=windows.off_phases_ns(),
        contention=windows.contention(),
        num_diverged=num_diverged,
    )


class _Windows:
    """Runs windows, and keeps what those without an intervention tell."""

    def __init__(self, session: SwitchedSession, feed: Feed, instruments: Instruments) -> None:
        self._session = session
        self._timed = TimedSession(session, feed, instruments)
        self._instruments = instruments
        self._processor = ProcessorLog(instruments.clock)
        self._processor.begin()
        self._off_rows: list[Rows] = []
        self._cpu_some: list[float] = []

    def pair(
        self, toggle: Toggle, slot: Slot, loads: Mapping[Intervention, Load], lengths: tuple[int, int]
    ) -> Pair | None:
        """Two windows beside each other; None where a loss was not finite, on all ranks alike."""
        comm = self._instruments.comm
        whole_ns: dict[bool, tuple[int, ...]] = {}
        took_ns = 0.0
        is_finite = True
        for is_on in (slot.is_on_first, not slot.is_on_first):
            self._session.switch(toggle if is_on else NOTHING, loads, self._instruments.clock)
            before = self._instruments.clock(), some_pressure_ns("cpu")
            rows, is_all_finite = self.run(*lengths)
            is_finite = is_finite and is_all_finite
            whole_ns[is_on] = slowest_ns(comm, rows)
            if is_on:
                took_ns = greatest(comm, self._session.took_ns())
            else:
                self._off_rows.append(rows)
                self._note_pressure(before)
        if not is_finite:
            return None
        return Pair(
            off_ns=whole_ns[False], on_ns=whole_ns[True], is_on_first=slot.is_on_first, took_ns=took_ns
        )

    def _note_pressure(self, before: tuple[int, int | None]) -> None:
        after = self._instruments.clock(), some_pressure_ns("cpu")
        if before[1] is not None and after[1] is not None:
            self._cpu_some.append((after[1] - before[1]) / max(after[0] - before[0], 1))

    def run(self, settle: int, steps: int) -> tuple[Rows, bool]:
        """One window of this rank, and whether every loss of every rank was finite in it."""
        comm = self._instruments.comm
        comm.Barrier()
        _, early = self._timed.run(settle)
        self._session.forget()
        rows, losses = self._timed.run(steps)
        is_bad = not (np.isfinite(early).all() and np.isfinite(losses).all())
        return rows, greatest(comm, float(is_bad)) == 0.0

    def off_phases_ns(self) -> Mapping[Phase, float]:
        """Mean phases without an intervention on the rank that works longest; empty but on rank 0."""
        rows = np.concatenate(self._off_rows)[:, : len(COLUMNS)]
        means = {phase: float(value) for phase, value in zip(COLUMNS, rows.mean(axis=0), strict=True)}
        everyone = gather(self._instruments.comm, {str(phase): value for phase, value in means.items()})
        if everyone is None:
            return {}
        longest = max(everyone, key=_work_of)
        return {phase: float(longest[str(phase)]) for phase in COLUMNS}

    def contention(self) -> CpuContention:
        """How contended the cores were."""
        rows = np.concatenate(self._off_rows)[:, len(COLUMNS) :].astype(np.float64)
        on_cpu = rows[:, METERS.index(Meter.WORK_ON_CPU)]
        loading = np.maximum(rows[:, METERS.index(Meter.PRODUCE_ON_CPU)], 0)
        delay = rows[:, METERS.index(Meter.WORK_RUN_DELAY)]
        starved = delay - np.minimum(delay, loading)
        is_told = bool(on_cpu.sum() > 0 and on_cpu.min() >= 0 and delay.min() >= 0)
        sigma = greatest(self._instruments.comm, 1 + starved.sum() / on_cpu.sum() if is_told else 0.0)
        reports = gather(self._instruments.comm, self._processor.report())
        pressure = Contention(values=worst(reports or ()))
        return CpuContention(
            cpu_some=median(self._cpu_some) if self._cpu_some else None,
            sigma=sigma if sigma >= 1 else None,
            # Pressure counts the loaders and exchanges of the ranks too: what others had tells them apart.
            others=None if pressure.is_held else pressure.share(Pressure.OTHERS),
        )


def slowest_ns(comm: MPI.Intracomm, rows: Rows) -> tuple[int, ...]:
    """Each step as long as its slowest rank, on rank 0; this rank's own elsewhere."""
    own = np.ascontiguousarray(step_ns(rows))
    found = own.copy()
    comm.Reduce(own, found if comm.rank == 0 else None, op=MPI.MAX, root=0)
    return tuple(found.tolist())


def _work_of(phases_ns: Mapping[str, float]) -> float:
    return sum(phases_ns[name] for name in (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER))


def _calibrated(windows: _Windows, order: Order, instruments: Instruments) -> tuple[Calibration, int]:
    """What the session does by itself, and how many steps make a window; the same on all ranks."""
    comm = instruments.comm
    rows, _ = windows.run(order.warmup_steps + _BLOCK, _CALIBRATION_STEPS)
    whole = slowest_ns(comm, rows)
    work = float(np.median(step_ns(rows) - rows[:, _MEETING].sum(axis=1)))
    produce = greatest(comm, float(np.median(rows[:, _PRODUCE])))
    works = gather(comm, {"work": work})
    told = None
    if works is not None:
        slowest = max(range(len(works)), key=lambda rank: float(works[rank]["work"]))
        blocks = np.asarray(whole, dtype=np.float64).reshape(-1, _BLOCK).mean(axis=1)
        told = {"step_ns": max(float(np.median(blocks)), 1.0), "produce_ns": produce, "slowest_rank": slowest}
    heard = broadcast(comm, told)
    ahead = instruments.feeding.num_ahead
    found = Calibration(meeting=order.meeting, num_ahead=ahead, **heard)
    return found, num_window_steps(order.plan, found)
