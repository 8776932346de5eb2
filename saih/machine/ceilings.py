"""Measure what this machine can do at best for one placement, on all its ranks at the same time."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Literal

import torch
from mpi4py import MPI

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.errors import UsageError
from saih.domain.interval import FEWEST_ENCLOSING
from saih.domain.point import Placement
from saih.machine import arithmetic, collective, launch_cost, memory_bandwidth, storage_read
from saih.machine.device import device_of, free_bytes, synchronise_on
from saih.machine.messages import gather_all, greatest, least
from saih.machine.process_group import process_group
from saih.machine.rank_peak import rank_peak_flops_per_s
from saih.machine.sampling import (
    CurveName,
    Durations,
    Probe,
    Rung,
    Sample,
    best_of_rounds,
    rate_curve,
    time_curve,
)

_DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_NUM_ROUNDS = 3
_MAX_REPEATS = 31
_REPEAT_S = 0.01
_CALIBRATION_S = 0.001
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One curve: its share of the budget, and how to measure it within a number of seconds.

    The shares sum to less than 1: preparing takes the rest.
    """

    share: float
    better: Literal["higher", "lower"]
    curve: Callable[[float], Ceiling | None]


def measure(
    placement: Placement,
    comm: MPI.Intracomm,
    data_folder: Path,
    environment_id: str,
    *,
    precision: str,
    budget_s: float = 30.0,
) -> Ceilings:
    """The ceilings of ``placement`` for ``precision``; every rank of ``comm`` calls it at the same time.

    Takes about ``budget_s`` seconds, the same on all ranks, and gives every rank the same values. A curve
    that some rank cannot measure (no memory, no such operation) is left out with a line in the log.

    Raises:
        UsageError: for a precision that is not known, or ranks that are not those of the placement.
        EnvironmentMissing: where the placement asks for accelerators that torch does not see.
    """
    dtype = _dtype_of(precision)
    _check_world(placement, comm)
    device = device_of(placement, comm)
    with ExitStack() as stack:
        stack.enter_context(_threads(placement.threads_per_rank))
        stack.enter_context(torch.no_grad())
        if comm.size > 1:
            stack.callback(comm.Barrier)  # rank 0 serves the group's store until the last rank has left
            stack.enter_context(process_group(comm, device, collective.TIMEOUT_S))
        path = stack.enter_context(storage_read.probe_file(data_folder, comm.size))
        sample = partial(_sample, comm, synchronise_on(device))
        tasks = (
            *_arithmetic_tasks(sample, device, dtype, precision),
            *_transfer_tasks(sample, device, free_bytes(placement, comm, device), path),
            *([_all_reduce_task(sample, device)] if comm.size > 1 else []),
        )
        curves = _best_curves(comm, tasks, budget_s)
    return _ceilings(curves, environment_id, placement, _vendor_peaks(placement, comm, device))


def _arithmetic_tasks(
    sample: Sample, device: torch.device, dtype: torch.dtype, precision: str
) -> tuple[_Task, ...]:
    num_threads = torch.get_num_threads()
    products = arithmetic.product_rungs(device, dtype)
    forward = arithmetic.forward_rungs(device, dtype, num_threads)
    backward = arithmetic.backward_rungs(device, dtype, num_threads)
    name = partial(arithmetic.convolution_name, precision=precision)
    return (
        _rate_task(0.2, arithmetic.product_name(precision), products, sample),
        _rate_task(0.12, name(CeilingKind.CONVOLUTION_FORWARD), forward, sample),
        _rate_task(0.16, name(CeilingKind.CONVOLUTION_BACKWARD), backward, sample),
    )


def _transfer_tasks(
    sample: Sample, device: torch.device, free_bytes: float, path: Path | None
) -> tuple[_Task, ...]:
    triad = memory_bandwidth.triad_rungs(device, free_bytes)
    launch = [launch_cost.launch_rung(device)]
    return (
        _rate_task(0.08, memory_bandwidth.NAME, triad, sample),
        # The warm curve comes first: it is the one that no reading can exceed.
        _rate_task(0.03, storage_read.WARM, storage_read.warm_rungs(path), sample),
        _rate_task(0.06, storage_read.DROPPED, storage_read.dropped_rungs(path), sample),
        _Task(share=0.01, better="lower", curve=partial(time_curve, launch_cost.NAME, launch, sample)),
    )


def _all_reduce_task(sample: Sample, device: torch.device) -> _Task:
    rungs = collective.all_reduce_rungs(device)
    return _Task(share=0.15, better="lower", curve=partial(time_curve, collective.NAME, rungs, sample))


def _rate_task(share: float, name: CurveName, rungs: Sequence[Rung], sample: Sample) -> _Task:
    return _Task(share=share, better="higher", curve=partial(rate_curve, name, rungs, sample))


def _best_curves(comm: MPI.Intracomm, tasks: Sequence[_Task], budget_s: float) -> tuple[Ceiling, ...]:
    # All curves, then all again: a burst of other load seldom hits the same curve twice.
    # Those for which no time is left after a slow first round keep what they have.
    begin_ns = time.perf_counter_ns()
    found: list[list[Ceiling | None]] = [[] for _ in tasks]
    for round_index in range(_NUM_ROUNDS):
        for curves, task in zip(found, tasks, strict=True):
            elapsed_s = greatest(comm, (time.perf_counter_ns() - begin_ns) * 1e-9)
            if round_index == 0 or elapsed_s < budget_s:
                curves.append(task.curve(task.share * budget_s / _NUM_ROUNDS))
    merged = [best_of_rounds(curves, task.better) for curves, task in zip(found, tasks, strict=True)]
    return tuple(curve for curve in merged if curve is not None)


def _ceilings(
    curves: tuple[Ceiling, ...], environment_id: str, placement: Placement, vendor: Mapping[str, float]
) -> Ceilings:
    all_reduce = next((curve for curve in curves if curve.kind is CeilingKind.ALL_REDUCE), None)
    law = None
    if all_reduce is not None:
        law = collective.fit_latency_bandwidth(all_reduce.sizes, [one.value for one in all_reduce.rates])
    ceilings = Ceilings(
        environment_id=environment_id,
        placement_label=placement.label,
        curves=curves,
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        all_reduce_latency_s=law.latency_s if law else None,
        all_reduce_bytes_per_s=law.bytes_per_s if law else None,
        vendor_flops_per_s=vendor,
    )
    # A peak that a measurement beats is no peak (a virtual machine may state a wrong clock): not shown.
    beaten = {
        precision
        for precision, peak in vendor.items()
        if (best := ceilings.peak_flops_per_s(precision)) is not None and best.value > peak
    }
    kept = {precision: peak for precision, peak in vendor.items() if precision not in beaten}
    return replace(ceilings, vendor_flops_per_s=kept)


def _vendor_peaks(placement: Placement, comm: MPI.Intracomm, device: torch.device) -> dict[str, float]:
    """Sum over the ranks, for the precisions that are known on all of them."""
    parts = gather_all(comm, rank_peak_flops_per_s(placement, device))
    known = set.intersection(*(set(part) for part in parts))
    return {precision: sum(part[precision] for part in parts) for precision in sorted(known)}


def _sample(
    comm: MPI.Intracomm, synchronise: Callable[[], None], prepare: Callable[[], Probe], budget_s: float
) -> Durations | None:
    """Seconds per call, [repeat][rank]; every decision rests on values that all ranks share."""
    probe = _prepared(comm, synchronise, prepare)
    if probe is None:
        return None
    most_calls = int(least(comm, probe.max_calls))
    run = partial(_seconds_per_call, comm, synchronise, probe)
    num_calls = 1
    call_s = greatest(comm, run(1))
    while num_calls * call_s < _CALIBRATION_S and num_calls < most_calls:
        num_calls = min(10 * num_calls, most_calls)
        call_s = greatest(comm, run(num_calls))
    repeat_s = min(_REPEAT_S, budget_s / FEWEST_ENCLOSING)
    num_calls = min(most_calls, max(1, ceil(repeat_s / call_s)))
    num_repeats = min(_MAX_REPEATS, max(FEWEST_ENCLOSING, int(budget_s / (num_calls * call_s))))
    mine = {"durations_s": [run(num_calls) for _ in range(num_repeats)]}
    if _is_refused(comm, probe.verify):
        return None
    return tuple(zip(*(its["durations_s"] for its in gather_all(comm, mine)), strict=True))


def _prepared(
    comm: MPI.Intracomm, synchronise: Callable[[], None], prepare: Callable[[], Probe]
) -> Probe | None:
    """The probe after its first call, which is never timed; None where some rank cannot run it."""
    # Two stages: no rank may enter a collective call that another rank could not even prepare.
    made: list[Probe] = []
    if _is_refused(comm, lambda: made.append(prepare())):
        return None
    if _is_refused(comm, made[0].call) or _is_refused(comm, synchronise):
        return None
    return made[0]


def _is_refused(comm: MPI.Intracomm, work: Callable[[], object]) -> bool:
    """Whether the work failed on any rank for want of memory, of an implementation or of a file."""
    problem = ""
    try:
        work()
    except (RuntimeError, MemoryError, OSError) as error:
        problem = f"rank {comm.rank}: {error}"
    problems = [its["problem"] for its in gather_all(comm, {"problem": problem}) if its["problem"]]
    if problems and comm.rank == 0:
        _log.warning("one size of a ceiling is left out: %s", problems[0].splitlines()[0])
    return bool(problems)


def _seconds_per_call(
    comm: MPI.Intracomm, synchronise: Callable[[], None], probe: Probe, num_calls: int
) -> float:
    """The one place that reads the clock, after the device is idle and all ranks are here."""
    probe.before()
    synchronise()
    comm.Barrier()
    begin_ns = time.perf_counter_ns()
    for _ in range(num_calls):
        probe.call()
    synchronise()
    return max(1, time.perf_counter_ns() - begin_ns) * 1e-9 / num_calls


def _dtype_of(precision: str) -> torch.dtype:
    if precision not in _DTYPES:
        raise UsageError(
            f"precision {precision!r} has no ceilings", f"use one of {', '.join(sorted(_DTYPES))}."
        )
    return _DTYPES[precision]


def _check_world(placement: Placement, comm: MPI.Intracomm) -> None:
    if comm.size != placement.num_ranks:
        raise UsageError(
            f"the placement {placement.label} has {placement.num_ranks} ranks, but {comm.size} were started",
            f"start it with mpirun -n {placement.num_ranks}.",
        )


@contextmanager
def _threads(num_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
