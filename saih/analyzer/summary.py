"""One completed point in numbers: its step, phases, rates and shares of the peak, each with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.balance import balance_of
from saih.analyzer.correlation import dependent_median_intervals
from saih.analyzer.counted import counted_cost
from saih.analyzer.critical_path import last_arrivers
from saih.analyzer.diagnosis import diagnose
from saih.analyzer.efficiency import efficiency_of
from saih.analyzer.energy import energy_of
from saih.analyzer.learning import check_loss
from saih.analyzer.paced_ceilings import ceilings_for
from saih.analyzer.propagation import quotient
from saih.analyzer.ran_execution import as_run, cost_as, ran_execution
from saih.analyzer.regime import FOUND_SETTINGS
from saih.analyzer.step_table import table_of
from saih.analyzer.variation import variation_of
from saih.domain.ceiling import Ceilings
from saih.domain.contention import contention_of
from saih.domain.interval import Interval
from saih.domain.record import Phase, Record, Steps
from saih.domain.staged import staged_of
from saih.domain.trend import PointSummary
from workloads.execution import Execution
from workloads.protocol import Workload

_CACHE_STATES = ("warm", "mixed", "cold")
_MOST_DIGITS = 18
"""Of a number of bytes; a longer note is none."""


def summarize(record: Record, steps: Steps, workload: Workload, ceilings: Ceilings | None) -> PointSummary:
    """The numbers of one record whose steps were found usable. Rates are over all ranks."""
    point, execution = record.point, ran_execution(record)
    cost = cost_as(point, execution, workload)
    busiest = ceilings_for(record, cost, ceilings, of_busiest=True)
    ceilings = ceilings_for(record, cost, ceilings)
    num_ranks = point.placement.num_ranks
    phases = deciding_phases(steps, point.ranks_that_meet)
    step_ns, *phases_ns = dependent_median_intervals(np.array([table_of(steps).slowest, *phases.values()]))
    flops = cost.flops
    flops_per_step = float(flops * num_ranks)
    flops_per_s = step_ns.inverted(flops_per_step * 1e9)
    ran = as_run(point, execution)
    peaks = _shares(flops_per_s, ceilings, ran.precision)
    traffic = sum(operation.memory_bytes for operation in cost.operations)
    samples = cost.samples_per_step * point.placement.data_parallel
    energy = energy_of(record.result.notes, steps.num_steps, samples)
    return PointSummary(
        point=point,
        record_id=record.record_id,
        labels={axis.name: workload.describe(point.problem, axis.name) for axis in workload.axes},
        axis_sizes=dict(cost.axis_sizes),
        step_ns=step_ns,
        phases_ns=dict(zip(phases, phases_ns, strict=True)),
        flops_per_step=flops_per_step,
        flops_per_s=flops_per_s,
        samples_per_s=step_ns.inverted(samples * 1e9),
        share_of_peak=peaks.measured,
        share_of_vendor_peak=peaks.vendor,
        flops_per_byte=flops / traffic if traffic else 0.0,
        num_parameters=cost.num_parameters,
        dataset_bytes=cost.dataset_bytes,
        stop_reason=record.result.stop_reason,
        loss=check_loss(steps.losses, workload.activity),
        diagnosis=diagnose(
            steps, counted_cost(record, cost), ran, busiest, contention_of(record.result.notes)
        ),
        balance=balance_of(steps, point.ranks_that_meet),
        efficiency=efficiency_of(steps, point.ranks_that_meet),
        variation=variation_of(steps),
        tensor_bytes=cost.tensor_bytes(point.placement.device),
        peak_memory_bytes=_peak_memory_bytes(record),
        settings=_settings(record, execution),
        techniques={**cost.techniques, **point.supply.techniques},
        staged=staged_of(record.result.notes),
        input_bytes=cost.input_bytes if point.supply.input == "real" else 0,
        is_peak_given=cost.given is not None and cost.given.flops_per_s > 0,
        gradient_bytes=cost.gradient_bytes if point.exchange != "none" and num_ranks > 1 else 0,
        measured_utc=record.finished_utc,
        energy=None if isinstance(energy, str) else energy,
        energy_reason=energy if isinstance(energy, str) else "",
        execution=execution,
    )


def _settings(record: Record, execution: Execution) -> dict[str, str]:
    """Where the ranks noted that their input came from, if they could tell; what a search found."""
    noted = record.result.notes.get("cache_state", "")
    told = {"input cache": noted} if noted in _CACHE_STATES else {}
    found = {FOUND_SETTINGS: execution.found_words} if record.point.execution.is_searched else {}
    return told | found


def _peak_memory_bytes(record: Record) -> int | None:
    """What the ranks noted; a note that is no positive number says nothing."""
    noted = record.result.notes.get("peak_memory_bytes", "")
    return int(noted) or None if noted.isdecimal() and len(noted) <= _MOST_DIGITS else None


def deciding_phases(steps: Steps, size: int | None = None) -> dict[Phase, NDArray[np.float64]]:
    """Each phase at each step [ns] on the rank that decides the step: the last one of those kept whole.

    ``size`` ranks meet; None: all.
    """
    table = table_of(steps)
    return dict(zip(table.phases, table.at(last_arrivers(steps, size)), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    measured: Interval | None
    vendor: Interval | None


def _shares(flops_per_s: Interval, ceilings: Ceilings | None, precision: str) -> _Shares:
    if ceilings is None or flops_per_s.low <= 0:
        return _Shares(measured=None, vendor=None)
    peak = ceilings.peak_flops_per_s(precision)
    vendor = ceilings.vendor_flops_per_s.get(precision)
    return _Shares(
        measured=quotient(flops_per_s, peak) if peak is not None else None,
        vendor=flops_per_s.scaled(1 / vendor) if vendor else None,
    )
