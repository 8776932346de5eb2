"""Searches for the fastest executions of a job's points, one after another; rank 0 keeps what is found."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from saih.domain.errors import UsageError
from saih.domain.job import Job
from saih.domain.point import Point
from saih.domain.record import Environment
from saih.domain.tuning import Tuned, TuningPlan
from saih.harness.ending import COMPLETED, Ending
from saih.harness.events import tell
from saih.harness.point_run import Setting
from saih.harness.ranks import Ranks
from saih.harness.sentinel import Sentinel
from saih.harness.staging import Staging, staging_base
from saih.harness.tuning_rates import batch_rates
from saih.harness.tuning_settle import Archive, is_known, known_of, search_and_keep
from saih.machine.messages import broadcast
from saih.store.fence import Fence
from saih.store.tuned_file import write_tuned
from workloads.execution import Execution
from workloads.protocol import JobSide


def tune_points(job: Job, sides: Mapping[str, JobSide], ranks: Ranks, environment: Environment) -> None:
    """Search the fastest execution of every point of the job of which it is not known.

    What is found of a point is kept before the next begins, so that a killed job goes on there. A point of
    which nothing could be stepped is told and passed over.

    Raises:
        UsageError: for a job that does not say how long to search.
        SaihError: when nothing can be written.
    """
    if job.tuning is None:
        raise UsageError("the tune job says nothing of how to search.", "start it by the command line.")
    with (
        Sentinel(ranks.comm, job.watchdog_s, _no_words) as sentinel,
        Staging(ranks, staging_base(job), sentinel.beat) as staging,
    ):
        setting = Setting(
            ranks=ranks,
            data_folder=Path(job.data_folder),
            sentinel=sentinel,
            watchdog_s=job.watchdog_s,
            staging=staging,
            has_whole_nodes=job.has_whole_nodes,
        )
        pending = _pending(job, job.tuning, environment, ranks)
        for index, point in enumerate(pending):
            sentinel.beat(f"before tuning point {point.point_id}")
            _tell(ranks, "tune_begin", point_id=point.point_id)

            def trying(text: str, done: int = index) -> None:
                _tell(ranks, "progress", done=done, total=len(pending), text=f"trying {text}")

            archive = Archive(
                root=Path(job.results_folder),
                environment=environment,
                fence=Fence(holder_path=job.holder_path, token=job.holder_token),
                tell=trying,
            )
            ending, words = _tune(point, job.tuning, sides[point.workload], (setting, archive))
            _tell(
                ranks,
                "tune_end",
                point_id=point.point_id,
                outcome=str(ending.outcome),
                reason=ending.reason or words,
            )
    _tell(ranks, "progress", done=len(pending), total=len(pending), text="every point was searched")


def _tune(
    point: Point, plan: TuningPlan, side: JobSide, means: tuple[Setting, Archive]
) -> tuple[Ending, str]:
    """How the search of a point ended, and what it found in words; what is known is not searched again."""
    setting, archive = means
    rank, environment_id = setting.ranks.rank, archive.environment.environment_id
    known = known_of(archive.root, environment_id, point) if rank == 0 else None
    is_to_search = not is_known(known, replace(plan, batches=()))
    if broadcast(setting.ranks.comm, {"is": is_to_search} if rank == 0 else None)["is"]:
        found = search_and_keep(point, side, setting, archive, plan)
        if found.tuned is None:
            return found.ending, ""
        execution, known = found.tuned.execution, found.tuned
    else:
        execution = _shared(known, setting)
    rates = batch_rates((point, execution), plan.batches, side, setting, archive.tell)
    if known is not None and rates and rank == 0:
        write_tuned(archive.root, replace(known, batches=rates), archive.fence)
    return COMPLETED, execution.words if known is None else known.words


def _shared(known: Tuned | None, setting: Setting) -> Execution:
    """The execution that rank 0 knows."""
    told = None if known is None else asdict(known.execution)
    return Execution(**broadcast(setting.ranks.comm, told))


def _pending(job: Job, plan: TuningPlan, environment: Environment, ranks: Ranks) -> list[Point]:
    """The points of which something is to be found out, on all ranks."""
    told = None
    if ranks.rank == 0:
        root, environment_id = Path(job.results_folder), environment.environment_id
        ids = [
            point.point_id
            for point in job.points
            if not is_known(known_of(root, environment_id, point), plan)
        ]
        told = {"point_ids": ids}
    wanted = set(broadcast(ranks.comm, told)["point_ids"])
    return [point for point in job.points if point.point_id in wanted]


def _tell(ranks: Ranks, event: str, **content: object) -> None:
    if ranks.rank == 0:
        tell(event, **content)


def _no_words(ending: Ending) -> None:
    """No attempt is open here; the error event tells."""
