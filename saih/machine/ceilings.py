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
from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.machine import arithmetic, collective, launch_cost, memory_bandwidth, storage_read
from saih.machine.memory import available_memory_bytes
from saih.machine.rank_peak import rank_peak_flops_per_s
from saih.machine.sampling import (
    MIN_REPEATS,
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
    comm: MPI.Comm,
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
    device = _device_of(placement, comm)
    with ExitStack() as stack:
        stack.enter_context(_threads(placement.threads_per_rank))
        stack.enter_context(torch.no_grad())
        if comm.size > 1:
            stack.enter_context(collective.process_group(comm, device))
        path = stack.enter_context(storage_read.probe_file(data_folder, comm.size))
        sample = partial(_sample, comm, _synchronise_on(device))
        tasks = (
            *_arithmetic_tasks(sample, device, dtype, precision),
            *_transfer_tasks(sample, device, _free_bytes(placement, comm, device), path),
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


def _best_curves(comm: MPI.Comm, tasks: Sequence[_Task], budget_s: float) -> tuple[Ceiling, ...]:
    # All curves, then all again: a burst of other load seldom hits the same curve twice.
    # Those for which no time is left after a slow first round keep what they have.
    begin_ns = time.perf_counter_ns()
    found: list[list[Ceiling | None]] = [[] for _ in tasks]
    for round_index in range(_NUM_ROUNDS):
        for curves, task in zip(found, tasks, strict=True):
            elapsed_s = comm.allreduce((time.perf_counter_ns() - begin_ns) * 1e-9, MPI.MAX)
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


def _vendor_peaks(placement: Placement, comm: MPI.Comm, device: torch.device) -> dict[str, float]:
    """Sum over the ranks, for the precisions that are known on all of them."""
    parts: list[dict[str, float]] = comm.allgather(rank_peak_flops_per_s(placement, device))
    known = set.intersection(*(set(part) for part in parts))
    return {precision: sum(part[precision] for part in parts) for precision in sorted(known)}


def _sample(
    comm: MPI.Comm, synchronise: Callable[[], None], prepare: Callable[[], Probe], budget_s: float
) -> Durations | None:
    """Seconds per call, [repeat][rank]; every decision rests on values that all ranks share."""
    probe = _prepared(comm, synchronise, prepare)
    if probe is None:
        return None
    most_calls = comm.allreduce(probe.max_calls, MPI.MIN)
    run = partial(_seconds_per_call, comm, synchronise, probe)
    num_calls = 1
    call_s = comm.allreduce(run(1), MPI.MAX)
    while num_calls * call_s < _CALIBRATION_S and num_calls < most_calls:
        num_calls = min(10 * num_calls, most_calls)
        call_s = comm.allreduce(run(num_calls), MPI.MAX)
    repeat_s = min(_REPEAT_S, budget_s / MIN_REPEATS)
    num_calls = min(most_calls, max(1, ceil(repeat_s / call_s)))
    num_repeats = min(_MAX_REPEATS, max(MIN_REPEATS, int(budget_s / (num_calls * call_s))))
    mine = [run(num_calls) for _ in range(num_repeats)]
    if _is_refused(comm, probe.verify):
        return None
    return tuple(zip(*comm.allgather(mine), strict=True))


def _prepared(comm: MPI.Comm, synchronise: Callable[[], None], prepare: Callable[[], Probe]) -> Probe | None:
    """The probe after its first call, which is never timed; None where some rank cannot run it."""
    # Two stages: no rank may enter a collective call that another rank could not even prepare.
    made: list[Probe] = []
    if _is_refused(comm, lambda: made.append(prepare())):
        return None
    if _is_refused(comm, made[0].call) or _is_refused(comm, synchronise):
        return None
    return made[0]


def _is_refused(comm: MPI.Comm, work: Callable[[], object]) -> bool:
    """Whether the work failed on any rank for want of memory, of an implementation or of a file."""
    problem = ""
    try:
        work()
    except (RuntimeError, MemoryError, OSError) as error:
        problem = f"rank {comm.rank}: {error}"
    problems = [text for text in comm.allgather(problem) if text]
    if problems and comm.rank == 0:
        _log.warning("one size of a ceiling is left out: %s", problems[0].splitlines()[0])
    return bool(problems)


def _seconds_per_call(comm: MPI.Comm, synchronise: Callable[[], None], probe: Probe, num_calls: int) -> float:
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


def _check_world(placement: Placement, comm: MPI.Comm) -> None:
    if comm.size != placement.num_ranks:
        raise UsageError(
            f"the placement {placement.label} has {placement.num_ranks} ranks, but {comm.size} were started",
            f"start it with mpirun -n {placement.num_ranks}.",
        )


def _device_of(placement: Placement, comm: MPI.Comm) -> torch.device:
    if placement.device == "cpu":
        return torch.device("cpu")
    if not comm.allreduce(torch.cuda.is_available(), MPI.LAND):
        raise EnvironmentMissing(
            f"the placement {placement.label} needs accelerators, but torch sees none on some rank",
            "install a torch built for them and start the ranks where they are, or set device to cpu.",
        )
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    # Some launchers show each rank its own device only, then numbered 0.
    device = torch.device("cuda", node.rank % torch.cuda.device_count())
    node.Free()
    torch.cuda.set_device(device)
    return device


def _synchronise_on(device: torch.device) -> Callable[[], None]:
    if device.type == "cuda":
        return partial(torch.cuda.synchronize, device)
    return lambda: None


def _free_bytes(placement: Placement, comm: MPI.Comm, device: torch.device) -> float:
    """What the poorest rank may take."""
    if device.type == "cuda":
        free = float(torch.cuda.mem_get_info(device)[0])
    else:
        free = available_memory_bytes() / placement.ranks_per_node
    return comm.allreduce(free, MPI.MIN)


@contextmanager
def _threads(num_threads: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
