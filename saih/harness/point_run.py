"""One point from beginning to end, on every rank: prepare, measure, agree how it ended."""

import gc
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from saih.domain.contention import contention_notes
from saih.domain.counted import counted_notes, from_note, to_note
from saih.domain.energy import energy_notes
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Outcome
from saih.harness.agreement import GRACE_S, agree
from saih.harness.clock import device_clock, host_ns
from saih.harness.ending import COMPLETED, Ending, ending_of
from saih.harness.energy_sum import Crew, Report, together
from saih.harness.exchange import MeasuredExchange
from saih.harness.feed import Feeding, feeding_of
from saih.harness.measure import Instruments, Measurement, measure
from saih.harness.processor_log import worst
from saih.harness.ranks import Ranks
from saih.harness.rendezvous import open_exchange, open_replica
from saih.harness.sentinel import Sentinel
from saih.harness.settlement import Settlement, as_asked
from saih.harness.staging import Staging
from saih.harness.usage import peak_device_bytes, peak_memory_bytes, reset_peak_memory, summary
from saih.machine import energy_counter
from saih.machine.clock_violations import ReadViolations, no_violations, violations_of
from saih.machine.energy import machine_name, num_cores
from saih.machine.energy_counter import Counters
from saih.machine.messages import gather
from workloads.execution import settled
from workloads.protocol import Connect, JobSide, Session, Surroundings
from workloads.telling import TellingJob

_PATIENT = (Outcome.COMPLETED, Outcome.DIVERGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the points of one job share."""

    ranks: Ranks
    data_folder: Path
    sentinel: Sentinel
    watchdog_s: float
    counters: Counters = energy_counter.NONE
    """Of energy: those that this rank reads."""
    staging: Staging | None = None
    """Copies data sets to the nodes for points that ask for it; None: they read the data folder."""
    has_whole_nodes: bool = False
    """Whether the scheduler gives the nodes to nobody else."""


def run_point(
    point: Point, side: JobSide, setting: Setting, settlement: Settlement | None = None
) -> AttemptResult:
    """How the point ended, the same on all ranks; steps and notes are on rank 0 only.

    ``settlement`` says how its steps are executed; None: as the point itself does.

    Does not return when the ranks cannot agree: then the sentinel records why and ends the job.
    """
    ranks = setting.ranks
    settlement = settlement or as_asked(point)
    freeze_modules()
    reset_peak_memory(ranks.device)
    measurement = _measure(settlement, point, side, setting)
    ending = agree_or_give_up(measurement.ending, setting)
    usages = gather(ranks.comm, _usage(measurement, ranks.device))
    pressures = gather(ranks.comm, measurement.pressure)
    reports = gather(ranks.comm, _energy_report(measurement, ranks))
    notes = {} if usages is None else {"hosts": " ".join(ranks.hosts), **summary(usages), **settlement.notes}
    if reports is not None and ending == COMPLETED:
        notes |= energy_notes(together(reports, _crew(point, setting)))
    if pressures is not None and ending == COMPLETED:
        notes |= contention_notes(worst(pressures))
    told = gather(ranks.comm, measurement.told)
    if told is not None and ending == COMPLETED and isinstance(side, TellingJob):
        notes |= side.notes(told)
    censuses = gather(ranks.comm, {"note": to_note(measurement.operations)})
    if censuses is not None and ending == COMPLETED:
        notes |= counted_notes([from_note(census["note"]) for census in censuses])
    notes |= _supply_notes(point, setting, measurement) if ending == COMPLETED else {}
    _release_memory(ranks.device)
    return AttemptResult(
        outcome=ending.outcome,
        reason=ending.reason,
        stop_reason=measurement.stop_reason if ending == COMPLETED else "",
        steps=measurement.steps if ending == COMPLETED else None,
        notes=notes,
    )


def _supply_notes(point: Point, setting: Setting, measurement: Measurement) -> dict[str, str]:
    """How many threads made batches, where that was not one, and what staging took."""
    loaders = {"loader_threads": str(measurement.num_loaders)} if measurement.num_loaders > 1 else {}
    return loaders | (setting.staging.notes(point) if setting.staging is not None else {})


def agree_or_give_up(own: Ending, setting: Setting, patience: float = 1.0) -> Ending:
    """The ending that all ranks record; the job ends here when a rank stays away.

    A rank that failed waits briefly, since the others may sit in a collective that it left. One that did
    not fail waits for ``patience`` watchdog limits.
    """
    comm, beat = setting.ranks.comm, setting.sentinel.beat
    patience_s = patience * setting.watchdog_s if own.outcome in _PATIENT else GRACE_S
    agreed = agree(comm, own, patience_s, beat)
    if agreed is not None:
        return agreed
    waited = f"rank {comm.rank} waited {patience_s:g} s for other ranks that did not come"
    setting.sentinel.give_up(
        replace(own, outcome=Outcome.TIMED_OUT, reason=waited) if own.outcome in _PATIENT else own
    )
    raise RuntimeError("the job goes on after its end")


def failure(error: BaseException, rank: int) -> Ending:
    """The ending that an exception on this rank makes, with its traceback on stderr."""
    sys.stderr.write(f"rank {rank} failed:\n{''.join(traceback.format_exception(error))}")
    sys.stderr.flush()
    return ending_of(error, rank)


def _measure(settlement: Settlement, asked: Point, side: JobSide, setting: Setting) -> Measurement:
    ranks, point = setting.ranks, settlement.applied(asked)
    if settlement.ending != COMPLETED:
        return Measurement(ending=settlement.ending, stop_reason="", steps=None, reading=None)
    try:
        # Collectives wait longer than the watchdog, which knows more about who is missing.
        patience_s, bucket_mib = 2 * setting.watchdog_s, point.execution.bucket_mib
        with open_exchange(point.exchange, ranks, patience_s, bucket_mib) as exchange:
            return _measure_session(point, side, setting, exchange)
    # A sys.exit in a session must not leave the other ranks waiting either.
    except (Exception, SystemExit) as error:
        return Measurement(ending=failure(error, ranks.rank), stop_reason="", steps=None, reading=None)


def _measure_session(
    point: Point, side: JobSide, setting: Setting, exchange: MeasuredExchange
) -> Measurement:
    with open_session(point, side, setting, exchange) as (session, instruments):
        return measure(session, point.timing, instruments)


@contextmanager
def open_session(
    point: Point, side: JobSide, setting: Setting, exchange: MeasuredExchange
) -> Iterator[tuple[Session[Any], Instruments]]:
    """The application of a point, prepared on this rank, and what is needed to time it; every rank enters."""
    ranks, timeout_s = setting.ranks, 2 * setting.watchdog_s
    data_folder = _data_folder(point, side, setting)
    with open_replica(ranks, point.placement.degrees, timeout_s) as connect:
        surroundings = _surroundings(point, setting, exchange, connect, data_folder)
        _seed(point.seed, ranks.device)
        instruments = Instruments(
            comm=ranks.comm,
            clock=device_clock(ranks.device),
            exchange=exchange,
            beat=setting.sentinel.beat,
            counters=setting.counters,
            violations=_violations(ranks.device),
        )
        session = side.prepare(point.problem, surroundings)
        instruments = replace(instruments, feeding=_feeding(point, session, ranks.device))
        try:
            setting.sentinel.beat("after preparing")
            yield session, instruments
        finally:
            session.close()


def _data_folder(point: Point, side: JobSide, setting: Setting) -> Path:
    """Where the point reads: its node's copy, or the data folder."""
    if setting.staging is None:
        return setting.data_folder
    return setting.staging.stage(point, side, setting.data_folder)


def _feeding(point: Point, session: Session[Any], device: str) -> Feeding:
    is_made_once = point.supply.input == "synthetic"
    # Ranks that are bound see their own cores only.
    ranks_per_node = 1 if point.placement.binding == "core" else point.placement.ranks_per_node
    return feeding_of(session, device, ranks_per_node=ranks_per_node, is_made_once=is_made_once)


def _surroundings(
    point: Point, setting: Setting, exchange: MeasuredExchange, connect: Connect, data_folder: Path
) -> Surroundings:
    ranks, execution = setting.ranks, settled(point.execution, point.precision)
    return Surroundings(
        rank=ranks.rank,
        num_ranks=ranks.num_ranks,
        device=ranks.device,
        precision=execution.precision,
        execution=execution,
        batch_per_rank=point.batch_per_rank,
        seed=point.seed,
        data_folder=data_folder,
        input=point.supply.input,
        exchange=exchange,
        degrees=point.placement.degrees,
        connect=connect,
        clock=host_ns,
    )


def _violations(device: str) -> ReadViolations:
    if device == "cpu":
        return no_violations
    return violations_of(str(torch.cuda.get_device_properties(device).uuid))


def _seed(seed: int, device: str) -> None:
    torch.default_generator.manual_seed(seed)
    if device != "cpu":  # without a GPU every such call would be queued for the first one for ever
        torch.cuda.manual_seed_all(seed)


def _usage(measurement: Measurement, device: str) -> dict[str, int | None]:
    reading = measurement.reading
    return {
        "peak_memory_bytes": peak_memory_bytes(),
        "peak_device_bytes": peak_device_bytes(device),
        "asked_bytes": None if reading is None else reading.asked_bytes,
        "storage_bytes": None if reading is None else reading.storage_bytes,
    }


def _energy_report(measurement: Measurement, ranks: Ranks) -> Report:
    if ranks.rank not in ranks.first_ranks:
        return measurement.energy
    return {**measurement.energy, "machine": machine_name(), "num_cores": num_cores()}


def _crew(point: Point, setting: Setting) -> Crew:
    placement = point.placement
    return Crew(
        first_ranks=setting.ranks.first_ranks,
        has_gpus=placement.device != "cpu",
        num_cores_used=placement.ranks_per_node * placement.threads_per_rank,
        is_alone=setting.has_whole_nodes,
    )


@cache
def freeze_modules() -> None:
    """Once: what there is before the first point stays; looking through it after each took 0.1 s."""
    gc.freeze()


def _release_memory(device: str) -> None:
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()
