"""Measure what this machine can do at best for one placement, on all its ranks at the same time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from saih.domain.ceiling import TIME_KINDS, Ceiling, CeilingKind, Ceilings
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.machine import collective
from saih.machine.ceiling_tasks import Bench, Chosen, Task, all_tasks
from saih.machine.device import device_of, free_bytes, synchronise_on
from saih.machine.message_law import fit_latency_bandwidth, fit_segments
from saih.machine.messages import gather_all
from saih.machine.mpi import MPI
from saih.machine.number_format import dtype_of, multiplying
from saih.machine.process_group import process_group
from saih.machine.rank_peak import rank_peak_flops_per_s
from saih.machine.sampling import CurveName, Rung, best_of_rounds
from saih.machine.stopwatch import Stopwatch
from saih.machine.storage_file import probe_file

_NO_REASON = "the measurement gave nothing"


def _every(_name: CurveName, rungs: Sequence[Rung]) -> Sequence[Rung]:
    return rungs


def measure(  # noqa: PLR0913 - the last two have defaults
    placement: Placement,
    comm: MPI.Intracomm,
    data_folder: Path,
    environment_id: str,
    *,
    precision: str,
    budget_s: float = 30.0,
    chosen: Chosen = _every,
) -> Ceilings:
    """The ceilings of ``placement`` for ``precision``; every rank of ``comm`` calls it at the same time.

    Takes about ``budget_s`` seconds, the same on all ranks, and gives every rank the same values. A curve
    that some rank cannot measure (no memory, no such operation) is absent, with the reason. ``chosen`` leaves
    sizes out; a curve without any is not measured.

    Raises:
        UsageError: for a precision that is not known, or ranks that are not those of the placement.
        EnvironmentMissing: where the placement asks for accelerators that torch does not see.
    """
    dtype = dtype_of(precision)
    _check_world(placement, comm)
    device = device_of(placement, comm)
    watch = Stopwatch(comm=comm, synchronise=synchronise_on(device))
    with ExitStack() as stack:
        stack.enter_context(_threads(placement.threads_per_rank))
        stack.enter_context(torch.no_grad())
        stack.enter_context(multiplying(precision, device))
        if comm.size > 1:
            stack.callback(comm.Barrier)  # rank 0 serves the group's store until the last rank has left
            stack.enter_context(process_group(comm, device, collective.TIMEOUT_S))
        bench = Bench(
            comm=comm,
            sample=watch,
            device=device,
            dtype=dtype,
            precision=precision,
            free_bytes=free_bytes(placement, comm, device),
            path=stack.enter_context(probe_file(data_folder, comm.size)),
            chosen=chosen,
        )
        curves, absent = _best_curves(watch, all_tasks(bench), budget_s)
    found = _ceilings(curves, environment_id, placement, _vendor_peaks(placement, comm, device))
    return replace(found, absent={**absent, **_impossible(device, comm)})


def _best_curves(
    watch: Stopwatch, tasks: Sequence[Task], budget_s: float
) -> tuple[tuple[Ceiling, ...], dict[str, str]]:
    """The best of all rounds, and why some curves are absent.

    All curves, then all again: a burst of other load seldom hits the same curve twice. Those for which no
    time is left after a slow first round keep what they have.
    """
    begin_s, whole = watch.seconds(), sum(task.weight for task in tasks)
    found: list[list[tuple[Ceiling, ...]]] = [[] for _ in tasks]
    absent: dict[str, str] = {}
    for index in range(max(task.num_rounds for task in tasks)):
        for rounds, task in zip(found, tasks, strict=True):
            has_time = watch.seconds() - begin_s < budget_s
            if index < task.num_rounds and (has_time or index == 0):
                num_refusals = len(watch.refusals)
                share_s = task.weight / whole * budget_s / task.num_rounds
                # On a busy machine the last curves of the first round keep to their fewest repeats and sizes.
                rounds.append(task.curves(share_s if has_time or task.num_rounds == 1 else 0.0))
                if not rounds[-1]:
                    absent[task.name.label] = next(iter(watch.refusals[num_refusals:]), _NO_REASON)
    merged = [curve for rounds in found for curve in _merged(rounds)]
    present = {curve.name for curve in merged}
    return tuple(merged), {name: reason for name, reason in absent.items() if name not in present}


def _merged(rounds: Sequence[tuple[Ceiling, ...]]) -> list[Ceiling]:
    """Each curve of a task from all its rounds."""
    names = {curve.name: curve.kind for curves in rounds for curve in curves}
    merged = []
    for name, kind in names.items():
        own = [curve for curves in rounds for curve in curves if curve.name == name]
        best = best_of_rounds(own, "lower" if kind in TIME_KINDS else "higher")
        if best is not None:
            merged.append(_with_segments(best))
    return merged


def _with_segments(curve: Ceiling) -> Ceiling:
    if curve.kind not in collective.KINDS:
        return curve
    return replace(curve, segments=fit_segments(curve.sizes, [one.value for one in curve.rates]))


def _impossible(device: torch.device, comm: MPI.Intracomm) -> dict[str, str]:
    """What this placement cannot have, whatever the machine."""
    reasons: dict[str, str] = {}
    if comm.size == 1:
        reasons |= {str(kind): "one rank has nobody to exchange with" for kind in collective.KINDS}
    if device.type == "cpu":
        words = "the placement works on the CPU: nothing is copied to a device"
        reasons |= {str(kind): words for kind in (CeilingKind.HOST_TO_DEVICE, CeilingKind.DEVICE_TO_HOST)}
    return reasons


def _ceilings(
    curves: tuple[Ceiling, ...], environment_id: str, placement: Placement, vendor: Mapping[str, float]
) -> Ceilings:
    all_reduce = next((curve for curve in curves if curve.kind is CeilingKind.ALL_REDUCE), None)
    law = None
    if all_reduce is not None:
        law = fit_latency_bandwidth(all_reduce.sizes, [one.value for one in all_reduce.rates])
    ceilings = Ceilings(
        environment_id=environment_id,
        placement_label=placement.seats_label,
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
