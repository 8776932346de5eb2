"""One job of a campaign: written down, run, heard out, and its last attempt given an outcome."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from saih.domain.errors import SaihError
from saih.domain.job import GENERATION_PATIENCE, Job, Task
from saih.domain.point import Placement, Point
from saih.domain.record import AttemptResult, Environment
from saih.domain.site import Site
from saih.domain.study import StudyPlan
from saih.domain.trial import Trial
from saih.domain.tuning import TuningPlan
from saih.domain.verification import VerifyPlan
from saih.launch.event import Event, error_of
from saih.launch.local import Cause, Ending, Run, run_ranks
from saih.launch.loss import cause_line, out_of_memory_kills, result_of, tail_of, was_terminated
from saih.launch.overseer import Overseer
from saih.launch.search_loss import condemned, retold
from saih.launch.starter import Starter, worker_program
from saih.machine.scheduler_job import scheduler_notes
from saih.store.attempt import ENVIRONMENT, Attempt, read_outcome
from saih.store.fence import NO_FENCE, Fence
from saih.store.job_file import write_job
from saih.store.sweep_folder import SweepFolder, attempts_of, finish

OnEvent = Callable[[Event], None]
STUDIES: frozenset[Task] = frozenset({"validate", "search"})
"""Tasks that make data and train, in silence for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run a campaign."""

    seed: int
    """Decides the order of the points."""
    watchdog_s: float = 300.0
    silence_limit_s: float | None = None
    """Without an event for this long the ranks are ended. None: longer than any legal run can take."""
    max_lost: int = 3
    """A point that loses its ranks this often is left alone until the next campaign."""
    is_retrying_failed: bool = False
    """Whether points with a failed outcome are measured again."""
    lock_patience_s: float = 15.0
    worker_module: str = "saih.worker"
    site: Site = field(default_factory=Site)
    """What the ranks run in: interpreter, container, environment."""
    verify: VerifyPlan | None = None
    """How to put measured points to the test once all are measured; None: not at all."""
    verify_since_utc: str = ""
    """Trials that finished before are run again."""
    study: StudyPlan | None = None
    """How to study; only for tasks that do."""
    tuning: TuningPlan | None = None
    """How to search executions; only for the task that does."""
    check: Callable[[], None] | None = None
    """Called as soon as nobody else can begin to run or submit the sweep; ends the campaign by raising."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every job of one campaign shares."""

    folder: SweepFolder
    data_folder: Path
    environment: Environment | None
    """What the driver runs on, which the ranks must agree with; None where they alone know."""
    on_event: OnEvent
    options: Options
    starter: Starter
    overseer: Overseer
    lock: int | None = None
    """A descriptor that everything started keeps open."""
    fence: Fence = NO_FENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """What a job left behind."""

    task: Task
    ending: Ending
    log_path: Path
    begun: tuple[Attempt, ...]
    """The attempts that it began, each with an outcome now."""
    num_events: int
    """What the ranks said; none when they never came to work, whatever the launcher's exit status is."""
    environment_id: str
    """Of what the ranks found themselves on; empty when they did not say."""
    left_out: Mapping[str, Trial]
    """What ended the ranks when a search tried it, by the id of its point."""


@dataclass(slots=True)
class _Hearing:
    """What was heard from one job."""

    begun: list[Attempt] = field(default_factory=list)
    error: SaihError | None = None
    num_events: int = 0
    num_memory_kills: int = 0
    environment_id: str = ""


def run_job(around: Surroundings, task: Task, placement: Placement, points: Sequence[Point]) -> JobEnd:
    """Run one job to its end.

    An error that has its place in the outcome of a point is no reason to leave the other points.

    Raises:
        Interrupted: when it is time to stop; the open attempt stays without an outcome.
        Superseded: when somebody else took the points over.
        SaihError: what the worker reported as its error.
    """
    stop_if_asked(around)
    job = _job(around, task, placement, points)
    job_path = write_job(around.folder, job).absolute()
    log_path = job_path.with_suffix(".log")
    hearing = _Hearing(num_memory_kills=out_of_memory_kills())
    around.on_event({"event": "job_begin", "task": task, "num_points": len(points), "log": str(log_path)})
    options = around.options
    known = _attempts(around, task, points)
    start = around.starter.start(placement, worker_program(options.site, options.worker_module, job_path))
    run = Run(
        command=start.command,
        environment=start.environment,
        log_path=log_path,
        silence_limit_s=_silence_limit_s(options, task, points),
        inherited=around.lock,
        has_local_ranks=start.has_local_ranks,
    )
    ending = run_ranks(run, lambda event: _hear(around, hearing, event), around.overseer.is_asked)
    hearing.begun += sorted(_attempts(around, task, points) - known - set(hearing.begun), key=str)
    stop_if_asked(around)
    if hearing.error is not None and not _is_of_points(hearing.begun):
        raise hearing.error
    num_memory_kills = out_of_memory_kills() - hearing.num_memory_kills
    result = result_of(ending, log_path, num_memory_kills=num_memory_kills)
    if not _is_whole(hearing.begun, ending, log_path):
        around.overseer.consider(ending, log_path)
    left_out: Mapping[str, Trial] = {}
    if ending.exit_status != 0 and not was_terminated(ending, tail_of(log_path)):
        left_out = condemned(around.folder.root, points, job_path, result, are_all_searched=task == "tune")
    for attempt in hearing.begun:
        _close(around, attempt, retold(result, left_out.get(attempt.point_id)))
    return JobEnd(
        task=task,
        ending=ending,
        log_path=log_path,
        begun=tuple(hearing.begun),
        num_events=hearing.num_events,
        environment_id=hearing.environment_id,
        left_out=left_out,
    )


def _job(around: Surroundings, task: Task, placement: Placement, points: Sequence[Point]) -> Job:
    site = around.options.site
    return Job(
        task=task,
        sweep_name=around.folder.name,
        results_folder=str(around.folder.root.absolute()),
        data_folder=str(around.data_folder.absolute()),
        placement=placement,
        points=tuple(points),
        watchdog_s=around.options.watchdog_s,
        holder_path=around.fence.holder_path,
        holder_token=around.fence.token,
        has_whole_nodes=site.scheduler != "local" and site.is_exclusive,
        verify=around.options.verify if task == "verify" else None,
        verify_since_utc=around.options.verify_since_utc if task == "verify" else "",
        study=around.options.study if task in STUDIES else None,
        tuning=around.options.tuning if task == "tune" else None,
        staging_folder=site.staging_folder,
    )


def _hear(around: Surroundings, hearing: _Hearing, event: Event) -> None:
    hearing.num_events += 1
    if event["event"] == "error":
        hearing.error = error_of(event)
        return
    if event["event"] == "environment":
        hearing.environment_id = str(event["environment_id"])
        return
    if event["event"] == "point_begin":
        number = int(event["attempt"])
        hearing.num_memory_kills = out_of_memory_kills()
        hearing.begun.append(
            Attempt(sweep_path=around.folder.path, point_id=str(event["point_id"]), number=number)
        )
    around.on_event(event)


def _attempts(around: Surroundings, task: Task, points: Sequence[Point]) -> set[Attempt]:
    """The attempts on disk: a launcher that ends its ranks may swallow what they said of them."""
    if task != "measure":
        return set()
    found = (attempt for point in points for attempt in attempts_of(around.folder, point.point_id))
    return {attempt for attempt in found if (attempt.path / ENVIRONMENT).exists()}  # written whole


def _is_of_points(begun: Sequence[Attempt]) -> bool:
    """Whether the ranks began points and wrote down how each of them ended."""
    try:
        return bool([read_outcome(attempt) for attempt in begun])
    except FileNotFoundError:
        return False


def _is_whole(begun: Sequence[Attempt], ending: Ending, log_path: Path) -> bool:
    """Whether the ranks said all that they had to; mpirun exits with 0 when somebody ends its daemons."""
    if begun:
        return _is_of_points(begun)
    return ending.exit_status == 0 and not was_terminated(ending, tail_of(log_path))


def _close(around: Surroundings, attempt: Attempt, result: AttemptResult) -> None:
    """Give an attempt the outcome that its ranks could not write."""
    try:
        read_outcome(attempt)
    except FileNotFoundError:
        result = replace(result, notes={**result.notes, **scheduler_notes(os.environ)})
        finish(attempt, result, around.fence)
        around.on_event(
            {
                "event": "point_end",
                "point_id": attempt.point_id,
                "attempt": attempt.number,
                "outcome": str(result.outcome),
                "reason": result.reason,
                "stop_reason": "",
                "step_ns": None,
            }
        )


def stop_if_asked(around: Surroundings) -> None:
    """Raise the overseer's error when it is time to stop."""
    if around.overseer.is_asked():
        raise around.overseer.error()


def _silence_limit_s(options: Options, task: Task, points: Sequence[Point]) -> float:
    """The ranks' own watchdog allows each step ``watchdog_s``; this one is for when it cannot act."""
    if options.silence_limit_s is not None:
        return options.silence_limit_s
    if task == "generate" or task in STUDIES:
        return (GENERATION_PATIENCE + 2) * options.watchdog_s
    timings = [point.timing for point in points]
    num_steps = max(timing.warmup_steps + timing.min_steps for timing in timings)
    return max(timing.budget_s for timing in timings) + (num_steps + 2) * options.watchdog_s


def require_done(end: JobEnd) -> None:
    """Refuse a job whose ranks failed, fell silent, or never said a word.

    Raises:
        SaihError: with the last words of its log.
    """
    if end.ending.cause is Cause.SILENT or end.ending.exit_status != 0 or not end.num_events:
        raise ended_early(end)


def ended_early(end: JobEnd) -> SaihError:
    """The error for a job that ended before its work was done, without saying why."""
    return SaihError(
        f"the {end.task} job ended before its work was done (launcher's exit status "
        f"{end.ending.exit_status}, {end.ending.cause}); {cause_line(end.log_path)}",
        f"see {end.log_path}, and `saih doctor` for what is missing; then run the same command again.",
    )
