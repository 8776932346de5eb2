"""One job on all its ranks: generate data, measure ceilings, measure points, test or study them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from saih.domain.errors import SaihError, UsageError
from saih.domain.job import GENERATION_PATIENCE, Job, Task
from saih.domain.point import Point
from saih.domain.record import Environment
from saih.harness.attempt_log import AttemptLog
from saih.harness.ceilings_job import BUDGET_S, CHECK_BUDGET_S, check_ceilings, measure_ceilings
from saih.harness.ending import COMPLETED, Ending
from saih.harness.events import tell
from saih.harness.footing import require_footing
from saih.harness.generation_means import open_means
from saih.harness.host_clocks import require_equal_clocks
from saih.harness.hosts import common_environment
from saih.harness.point_run import Setting, agree_or_give_up, failure, run_point
from saih.harness.ranks import Ranks, take_seats
from saih.harness.rendezvous import require_exchanges
from saih.harness.sentinel import Sentinel
from saih.harness.shared_data import require_same_data
from saih.harness.staging import Staging, staging_base
from saih.harness.study_run import study
from saih.harness.tuning_job import tune_points
from saih.harness.tuning_settle import Archive, settle
from saih.harness.verify_run import verify_points
from saih.machine.energy import find_counters
from saih.machine.energy_counter import Counters
from saih.machine.messages import broadcast
from saih.machine.mpi import MPI
from saih.store.environment_guard import require_same_environment
from saih.store.fence import Fence
from saih.store.sweep_folder import SweepFolder, point_states
from workloads.protocol import JobSide

Sides = Mapping[str, JobSide]
"""The applications by name."""


def run_job(job: Job, sides: Sides, comm: MPI.Intracomm) -> None:
    """Do the job; every rank of ``comm`` calls it. What befalls a point is an outcome, no exception.

    Raises:
        EnvironmentMissing: when the ranks are not those that the job's placement asks for, or cannot
            exchange gradients as its points do.
        SaihError: when data could not be generated, or nothing can be written.
    """
    ranks = take_seats(comm, job.placement)
    _check_points(job, sides)
    torch.set_num_threads(job.placement.threads_per_rank)
    require_footing(job, ranks)
    require_same_data(job, ranks)
    clocks = require_equal_clocks(ranks)
    environment = common_environment(ranks)
    environment = replace(environment, notes={**environment.notes, **clocks})
    if ranks.rank == 0:
        tell("environment", environment_id=environment.environment_id)
    if job.task in _STEPPING:
        require_exchanges({point.exchange for point in job.points if ranks.num_ranks > 1})
    work = _WORKS.get(job.task, _ceilings)
    work(job, sides, ranks, environment)


def _generate(job: Job, sides: Sides, ranks: Ranks, _: Environment) -> None:
    real = [point for point in job.points if point.supply.input == "real"]
    wanted = {(point.workload, point.problem.data): point for point in real}
    with Sentinel(ranks.comm, GENERATION_PATIENCE * job.watchdog_s, last_words=_no_words) as sentinel:
        setting = _setting(job, ranks, sentinel)
        for index, point in enumerate(wanted.values()):
            _tell_progress(ranks, index, len(wanted), f"data set {index + 1} of {len(wanted)}")
            ending = _generate_one(sides[point.workload], point, setting)
            if ending != COMPLETED:
                raise SaihError(
                    f"data could not be generated: {ending.reason}", "mend that, and start again."
                )
        _tell_progress(ranks, len(wanted), len(wanted), "data sets are whole")


def _generate_one(side: JobSide, point: Point, setting: Setting) -> Ending:
    """All ranks make their parts, then rank 0 seals the whole."""
    for work in (_generate_part, _seal):
        own = _ending_of(partial(work, side, point, setting), setting.ranks.rank)
        ending = agree_or_give_up(own, setting, GENERATION_PATIENCE)
        if ending != COMPLETED:
            return ending
    return COMPLETED


def _generate_part(side: JobSide, point: Point, setting: Setting) -> None:
    ranks = setting.ranks

    def progress(text: str) -> None:
        setting.sentinel.beat(f"generating: {text}")
        if ranks.rank == 0:
            tell("message", text=text)

    with open_means(ranks, GENERATION_PATIENCE * setting.watchdog_s) as means:
        side.generate(point.problem, setting.data_folder, ranks.rank, ranks.num_ranks, progress, means)


def _seal(side: JobSide, point: Point, setting: Setting) -> None:
    setting.sentinel.beat("sealing the data set")
    if setting.ranks.rank == 0:
        side.seal(point.problem, setting.data_folder)


def _ceilings(job: Job, _: Sides, ranks: Ranks, environment: Environment) -> None:
    # Measuring ceilings reports no progress while it lasts; a check may measure everything after a few sizes.
    patience_s = job.watchdog_s + 2 * (BUDGET_S + CHECK_BUDGET_S)
    with Sentinel(ranks.comm, patience_s, last_words=_no_words):
        work = check_ceilings if job.task == "check_ceilings" else measure_ceilings
        work(job, ranks, environment)


def _measure_points(job: Job, sides: Sides, ranks: Ranks, environment: Environment) -> None:
    folder = SweepFolder(Path(job.results_folder), job.sweep_name)
    fence = Fence(holder_path=job.holder_path, token=job.holder_token)
    log = AttemptLog(folder, environment, fence) if ranks.rank == 0 else None
    last_words = _no_words if log is None else log.last_words
    pending = _pending(job, folder, environment, ranks)
    with (
        Sentinel(ranks.comm, job.watchdog_s, last_words) as sentinel,
        Staging(ranks, staging_base(job), sentinel.beat) as staging,
    ):
        setting = replace(_setting(job, ranks, sentinel), counters=_counters(ranks), staging=staging)
        for index, point in enumerate(pending):
            sentinel.beat(f"before point {point.point_id}")
            _tell_progress(ranks, index, len(pending), f"point {point.point_id}")
            if log is not None:
                log.begin(point)
            side = sides[point.workload]
            trying = partial(_tell_trial, ranks, (index, len(pending)), point)
            archive = Archive(root=folder.root, environment=environment, fence=fence, tell=trying)
            result = run_point(point, side, setting, settle(point, side, setting, archive))
            if log is not None:
                log.finish(result)
    _tell_progress(ranks, len(pending), len(pending), "every point has its outcome")


def _pending(job: Job, folder: SweepFolder, environment: Environment, ranks: Ranks) -> list[Point]:
    """The job's points without a decisive outcome: a scheduler may start a job again from its begin."""
    if ranks.rank == 0:
        # The driver asked before it started this job; software may have changed since.
        require_same_environment(folder, environment)
        states = point_states(folder, [point.point_id for point in job.points])
        ids = [point_id for point_id, state in states.items() if state.is_to_be_measured]
        broadcast(ranks.comm, {"point_ids": ids})
    else:
        ids = broadcast(ranks.comm, None)["point_ids"]
    wanted = set(ids)
    return [point for point in job.points if point.point_id in wanted]


def _check_points(job: Job, sides: Sides) -> None:
    unknown = sorted({point.workload for point in job.points} - set(sides))
    if unknown:
        raise UsageError(f"no workload is called {', '.join(unknown)}.", f"use {', '.join(sides)}.")
    odd = [point.point_id for point in job.points if point.placement != job.placement]
    if odd:
        raise UsageError(
            f"points {', '.join(odd)} have another placement than their job ({job.placement.label}).",
            "start one job for each placement.",
        )


def _setting(job: Job, ranks: Ranks, sentinel: Sentinel) -> Setting:
    return Setting(
        ranks=ranks,
        data_folder=Path(job.data_folder),
        sentinel=sentinel,
        watchdog_s=job.watchdog_s,
        has_whole_nodes=job.has_whole_nodes,
    )


def _counters(ranks: Ranks) -> Counters:
    """The energy counters that this rank reads."""
    uuid = None if ranks.device == "cpu" else str(torch.cuda.get_device_properties(ranks.device).uuid)
    return find_counters(is_first_on_node=ranks.rank in ranks.first_ranks, device_uuid=uuid)


def _ending_of(work: Callable[[], None], rank: int) -> Ending:
    try:
        work()
    except (Exception, SystemExit) as error:
        return failure(error, rank)
    return COMPLETED


def _tell_progress(ranks: Ranks, done: int, total: int, text: str) -> None:
    if ranks.rank == 0:
        tell("progress", done=done, total=total, text=text)


def _tell_trial(ranks: Ranks, place: tuple[int, int], point: Point, text: str) -> None:
    """What a search tries before a point is measured."""
    _tell_progress(ranks, *place, f"point {point.point_id}: trying {text}")


def _no_words(ending: Ending) -> None:
    """No attempt is open here; the error event tells."""


_STEPPING: frozenset[Task] = frozenset({"measure", "verify", "tune"})
"""Tasks whose ranks exchange gradients."""
_WORKS: Mapping[Task, Callable[[Job, Sides, Ranks, Environment], None]] = {
    "measure": _measure_points,
    "verify": verify_points,
    "tune": tune_points,
    "validate": study,
    "search": study,
    "generate": _generate,
}
"""What does each task; the others measure ceilings."""
