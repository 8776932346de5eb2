"""The driver inside an allocation: ``python -m saih.launch.allocation SWEEP_FOLDER SUBMISSION [INDEX]``.

It does what was submitted: makes data sets, or takes one batch over and measures it. INDEX chooses the batch
of a job array. Exits 0 when every point has an outcome, 75 when it was stopped and goes on when it runs
again, else with the code of the error (``saih.domain.errors``).
"""

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from saih.domain.batch import Submission
from saih.domain.errors import EnvironmentMissing, Interrupted, SaihError, UsageError
from saih.domain.point import Point
from saih.domain.site import Site
from saih.launch.allocation_holder import fence_of, require_progress, take_over
from saih.launch.allocation_nodes import Allocation, find_allocation
from saih.launch.allocation_overseer import AllocationOverseer
from saih.launch.allocation_progress import BatchReport, log_line
from saih.launch.event import Event
from saih.launch.interruption import Interruption, interruption
from saih.launch.job_run import OnEvent, Options, Surroundings
from saih.launch.mpirun import LocalMpirun, find_launcher
from saih.launch.node_probe import NodeProbe
from saih.launch.patience import watchdog_limit_s
from saih.launch.starter import Starter
from saih.launch.starter_allocation import AllocationMpirun, AllocationSrun
from saih.launch.work import generate, work
from saih.store.batch_folder import BatchFolder, batch_numbers, read_batch
from saih.store.fence import NO_FENCE, Fence
from saih.store.submission_folder import SubmissionFolder, read_submission
from saih.store.sweep_folder import SweepFolder, point_states

_SIGNALS = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_NOTHING_ASKED = "usage: python -m saih.launch.allocation SWEEP_FOLDER SUBMISSION [INDEX]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drive:
    """What one start of the driver works with."""

    folder: SweepFolder
    submission: Submission
    allocation: Allocation
    asked: Interruption
    worker_module: str


def main(arguments: Sequence[str], worker_module: str = "saih.worker") -> int:
    """Do one submission, or one element of it; gives the exit code."""
    try:
        with interruption(_SIGNALS, is_patient=True) as asked:
            folder, number, index = _parsed(arguments)
            drive = _Drive(
                folder=folder,
                submission=_submission(folder, number),
                allocation=find_allocation(os.environ),
                asked=asked,
                worker_module=worker_module,
            )
            _run(drive, index)
    except SaihError as error:
        log_line(f"ended with {error.exit_code}: {error.problem} {error.remedy}")
        return error.exit_code
    return 0


def _run(drive: _Drive, index: int | None) -> None:
    submission, allocation = drive.submission, drive.allocation
    log_line(
        f"{submission.task} of {drive.folder.name}, submission {submission.number}: {allocation.scheduler} "
        f"job {allocation.job_id or 'none'}, restart {allocation.num_restarts}, nodes "
        f"{' '.join(allocation.nodes)}"
    )
    if submission.task == "generate":
        _generate(drive)
    elif submission.task == "measure":
        _measure(drive, BatchFolder(sweep=drive.folder, number=_batch_number(submission, index)))
    else:
        raise UsageError(f"submission {submission.number} is a report.", "run `saih report` for it.")


def _measure(drive: _Drive, folder: BatchFolder) -> None:
    batch = read_batch(folder)
    ids = [point.point_id for point in batch.points]
    holder = take_over(folder, batch, drive.allocation)
    fence = fence_of(folder, holder)
    states = point_states(folder.sweep, ids)
    done = frozenset(one for one in ids if not states[one].is_to_be_measured)
    report = BatchReport(folder, fence, done, len(ids))
    try:
        require_progress(folder, batch, holder)
        around = _surroundings(drive, batch.points, fence, report.hear)
        options = replace(around.options, verify=batch.verify, verify_since_utc=batch.verify_since_utc)
        work(replace(around, options=options), batch.points)
    except SaihError as error:
        report.seal(f"{'stopped' if isinstance(error, Interrupted) else 'failed'}: {error.problem}")
        raise
    report.seal("every point has an outcome")


def _generate(drive: _Drive) -> None:
    """Make the data sets of every batch that still needs them, once, with many ranks."""
    numbers = drive.submission.batches or batch_numbers(drive.folder)
    batches = [read_batch(BatchFolder(sweep=drive.folder, number=number)) for number in numbers]
    points = {point.point_id: point for batch in batches for point in batch.points}
    states = point_states(drive.folder, points)
    left = [point for point_id, point in points.items() if states[point_id].is_to_be_measured]
    if not left:
        log_line("every point has an outcome: no data set is needed")
        return
    around = _surroundings(drive, left, NO_FENCE, _log_event)
    generate(around, left, most_nodes=len(drive.allocation.nodes))
    log_line("data sets are whole")


def _surroundings(drive: _Drive, points: Sequence[Point], fence: Fence, on_event: OnEvent) -> Surroundings:
    site, allocation = drive.submission.site, drive.allocation
    starter = _starter(site, allocation)
    return Surroundings(
        folder=drive.folder,
        data_folder=Path(drive.submission.data_folder),
        environment=None,  # the ranks may run in a container, on nodes unlike this one
        on_event=on_event,
        options=Options(
            seed=points[0].seed,
            watchdog_s=watchdog_limit_s(point.timing for point in points),
            worker_module=drive.worker_module,
            site=site,
        ),
        starter=starter,
        overseer=AllocationOverseer(
            asked=drive.asked,
            probe=NodeProbe(starter=starter, num_nodes=len(allocation.nodes)),
            ends_s=_stop_at_s(allocation, site.notice_s),
            fence=fence,
        ),
        fence=fence,
    )


def _starter(site: Site, allocation: Allocation) -> Starter:
    if allocation.scheduler == "slurm" and site.starter == "srun":
        return AllocationSrun(site=site, nodes=allocation.nodes, cores_per_node=allocation.cores_per_node)
    launcher = find_launcher(site)
    if allocation.scheduler == "local":
        return LocalMpirun(launcher=launcher, site=site)
    return AllocationMpirun(launcher=launcher, site=site, nodes=allocation.nodes)


def _stop_at_s(allocation: Allocation, notice_s: float) -> float | None:
    """When to stop though no signal came: half the notice before the end, on the monotonic clock [s]."""
    if allocation.left_s is None:
        return None
    return time.monotonic() + allocation.left_s - min(notice_s, allocation.left_s) / 2


def _submission(folder: SweepFolder, number: int) -> Submission:
    submission = SubmissionFolder(sweep=folder, number=number)
    try:
        return read_submission(submission)
    except FileNotFoundError as error:
        raise EnvironmentMissing(
            f"there is no submission {submission.path} on this node.",
            "put the results folder where every node sees it.",
        ) from error


def _batch_number(submission: Submission, index: int | None) -> int:
    num_batches = len(submission.batches)
    element = 0 if index is None else index
    if not 0 <= element < num_batches or (index is None and num_batches > 1):
        raise UsageError(
            f"submission {submission.number} has {num_batches} batches, but the index is {index}.",
            "give the element of the job array that runs this.",
        )
    return submission.batches[element]


def _log_event(event: Event) -> None:
    if event["event"] in ("message", "job_begin"):
        log_line(str(event.get("text", event.get("log"))))


def _parsed(arguments: Sequence[str]) -> tuple[SweepFolder, int, int | None]:
    if not 2 <= len(arguments) <= 3 or not all(number.isdecimal() for number in arguments[1:]):
        raise UsageError(f"the driver of an allocation was given {list(arguments)}.", _NOTHING_ASKED)
    path, number, *index = arguments
    whole = Path(path).absolute()
    return SweepFolder(whole.parent, whole.name), int(number), int(index[0]) if index else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
