"""The measured points of a job put to the test one after another, on every rank; rank 0 keeps the trials."""

import gc
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from saih.domain.job import Job
from saih.domain.point import Point
from saih.domain.record import Environment
from saih.domain.tuning import execution_of
from saih.domain.verification import FULL, Toggle, Trial
from saih.harness.ending import COMPLETED, Ending
from saih.harness.events import tell
from saih.harness.intervention import SwitchedExchange, SwitchedSession
from saih.harness.point_run import Setting, agree_or_give_up, failure, open_session
from saih.harness.ranks import Ranks
from saih.harness.rendezvous import open_exchange
from saih.harness.sentinel import Sentinel
from saih.harness.staging import Staging, staging_base
from saih.harness.verify import Order, Switching, switch_session
from saih.machine.messages import Message, broadcast
from saih.store.attempt import Attempt, read_environment, read_outcome
from saih.store.fence import Fence
from saih.store.sweep_folder import SweepFolder
from saih.store.verification_file import completed_attempt, is_tried, write_trial
from workloads.execution import Execution
from workloads.protocol import JobSide

_SEED_DIGITS = 8
"""Of a point's id: each point has an order of windows of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    """How switching a point ended; ``switching`` is None where it did not complete."""

    ending: Ending
    switching: Switching | None


def verify_points(job: Job, sides: Mapping[str, JobSide], ranks: Ranks, environment: Environment) -> None:
    """Put every point of the job to the test that is measured and has no trial yet.

    A trial is kept whole once all its windows are done; what is cut short leaves nothing. A point whose
    session fails is told and passed over: its record stays as it is.
    """
    folder = SweepFolder(Path(job.results_folder), job.sweep_name)
    fence = Fence(holder_path=job.holder_path, token=job.holder_token)
    measured = _pending(job, folder, environment, ranks)
    with (
        Sentinel(ranks.comm, job.watchdog_s, _no_words) as sentinel,
        Staging(ranks, staging_base(job), sentinel.beat) as staging,
    ):
        setting = Setting(
            ranks=ranks,
            data_folder=Path(job.data_folder),
            sentinel=sentinel,
            watchdog_s=job.watchdog_s,
            has_whole_nodes=job.has_whole_nodes,
            staging=staging,
        )
        for point in job.points:
            if point.point_id not in measured:
                continue
            number, execution = measured[point.point_id]
            sentinel.beat(f"before verifying point {point.point_id}")
            _tell(ranks, "verify_begin", point_id=point.point_id)
            ran = replace(point, execution=execution)
            tested = _tested(ran, _order(point, job, ranks), sides[point.workload], setting)
            ending = agree_or_give_up(tested.ending, setting)
            if ranks.rank == 0 and ending == COMPLETED and tested.switching is not None:
                attempt = Attempt(sweep_path=folder.path, point_id=point.point_id, number=number)
                if not fence.is_open:
                    raise fence.superseded()
                write_trial(attempt, _trial(attempt, point, job, environment, tested.switching))
            outcome = str(ending.outcome)
            _tell(ranks, "verify_end", point_id=point.point_id, outcome=outcome, reason=ending.reason)
            _release(ranks.device)


def _pending(
    job: Job, folder: SweepFolder, environment: Environment, ranks: Ranks
) -> Mapping[str, tuple[int, Execution]]:
    """The attempt of each point that is to be put to the test, and how it was executed, on all ranks.

    What was measured in another environment is passed over: its windows would tell of another machine.
    """
    if ranks.rank != 0:
        return _executions(broadcast(ranks.comm, None))
    pending: dict[str, tuple[int, dict[str, str | int]]] = {}
    for point in job.points:
        attempt = completed_attempt(folder, point.point_id)
        if attempt is None or is_tried(attempt, job.verify_since_utc):
            continue
        if read_environment(attempt).environment_id != environment.environment_id:
            reason = "its record is of another environment; measure it again here first"
            _tell(ranks, "verify_end", point_id=point.point_id, outcome="refused", reason=reason)
            continue
        try:
            execution = execution_of(point, read_outcome(attempt).notes)
        except ValueError as error:
            _tell(ranks, "verify_end", point_id=point.point_id, outcome="refused", reason=str(error))
            continue
        pending[point.point_id] = attempt.number, asdict(execution)
    return _executions(broadcast(ranks.comm, pending))


def _executions(told: Message) -> dict[str, tuple[int, Execution]]:
    return {point_id: (number, Execution(**settings)) for point_id, (number, settings) in told.items()}


def _order(point: Point, job: Job, ranks: Ranks) -> Order:
    return Order(
        plan=job.verify or FULL,
        seed=_seed(point),
        warmup_steps=point.timing.warmup_steps,
        device=ranks.device,
        meeting=point.meeting,
    )


def _tested(point: Point, order: Order, side: JobSide, setting: Setting) -> _Tested:
    ranks, timeout_s = setting.ranks, 2 * setting.watchdog_s

    def on_pair(done: int, total: int, toggle: Toggle) -> None:
        _tell(ranks, "progress", done=done, total=total, text=f"verifying: {toggle.intervention}")

    try:
        with open_exchange(point.exchange, ranks, timeout_s, point.execution.bucket_mib) as plain:
            exchange = SwitchedExchange(plain)
            with open_session(point, side, setting, exchange) as (session, instruments):
                switched = SwitchedSession(session, exchange, ranks.device, ranks.rank)
                switching = switch_session(switched, order, instruments, on_pair)
    # A sys.exit in a session must not leave the other ranks waiting either.
    except (Exception, SystemExit) as error:
        return _Tested(ending=failure(error, ranks.rank), switching=None)
    return _Tested(ending=COMPLETED, switching=switching)


def _trial(attempt: Attempt, point: Point, job: Job, environment: Environment, switching: Switching) -> Trial:
    notes = {"diverged_pairs": str(switching.num_diverged)} if switching.num_diverged else {}
    return Trial(
        record_id=f"{attempt.point_id}/attempt-{attempt.number}",
        environment_id=environment.environment_id,
        plan=job.verify or FULL,
        seed=_seed(point),
        runs=switching.runs,
        off_phases_ns=switching.off_phases_ns,
        contention=switching.contention,
        finished_utc=datetime.now(UTC).isoformat(timespec="microseconds"),
        notes=notes,
    )


def _seed(point: Point) -> int:
    return point.seed + int(point.point_id[:_SEED_DIGITS], 16)


def _tell(ranks: Ranks, event: str, **content: object) -> None:
    if ranks.rank == 0:
        tell(event, **content)


def _release(device: str) -> None:
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()


def _no_words(ending: Ending) -> None:
    """No attempt is open here; the error event tells."""
