"""Studies of a job's problems on all its ranks: can they be learnt, and which models learn best."""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch

from augment.problem import Problem
from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.job import GENERATION_PATIENCE, Job
from saih.domain.point import Point
from saih.domain.record import Environment
from saih.domain.study import Findings, Frontier, Search, StudyPlan, Validation, subject_id_of
from saih.harness.ending import COMPLETED, Ending
from saih.harness.events import tell
from saih.harness.generation_means import open_means
from saih.harness.point_run import Setting, agree_or_give_up, failure
from saih.harness.ranks import Ranks
from saih.harness.sentinel import Sentinel
from saih.harness.study_gathering import OtherRankError, gather_told, tell_failure
from saih.machine.messages import broadcast
from saih.machine.mpi import MPI
from saih.store.fence import Fence
from saih.store.structure import from_json
from saih.store.study_file import (
    SEARCH_ID,
    make_work_folder,
    read_search,
    read_validation,
    remove_work_folder,
    write_search,
    write_validation,
)
from saih.store.sweep_folder import SweepFolder
from workloads.protocol import JobSide, Told
from workloads.studying import Study, StudyingJob

Work = Callable[[Study], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What the studies of one job share on this rank."""

    job: Job
    plan: StudyPlan
    folder: SweepFolder
    fence: Fence
    environment: Environment
    setting: Setting
    comm: MPI.Intracomm
    """For what an application tells: a rank that fails meets the others on that of the setting."""

    @property
    def ranks(self) -> Ranks:
        """This rank among all."""
        return self.setting.ranks


def study(job: Job, sides: Mapping[str, JobSide], ranks: Ranks, environment: Environment) -> None:
    """Validate every problem of the job that was not yet, or search over all of them, and keep what is found.

    A problem whose study fails is told and passed over: what was found of the others stays. What a killed
    job had done is not done again.

    Raises:
        UsageError: for an application that learns nothing.
        SaihError: when a search failed, or nothing can be written.
    """
    if job.study is None:
        raise UsageError(f"the {job.task} job says nothing of how to study.", "start it by the command line.")
    with Sentinel(ranks.comm, GENERATION_PATIENCE * job.watchdog_s, _no_words) as sentinel:
        desk = _Desk(
            job=job,
            plan=job.study,
            folder=SweepFolder(Path(job.results_folder), job.sweep_name),
            fence=Fence(holder_path=job.holder_path, token=job.holder_token),
            environment=environment,
            setting=Setting(
                ranks=ranks,
                data_folder=Path(job.data_folder),
                sentinel=sentinel,
                watchdog_s=job.watchdog_s,
                has_whole_nodes=job.has_whole_nodes,
            ),
            comm=MPI.Intracomm(ranks.comm.Dup()),
        )
        work = _validate if job.task == "validate" else _search
        work(desk, {name: _studying(name, sides) for name in {point.workload for point in job.points}})
        desk.comm.Free()


def _studying(name: str, sides: Mapping[str, JobSide]) -> StudyingJob:
    side = sides[name]
    if not isinstance(side, StudyingJob):
        raise UsageError(
            f"{name} learns nothing, so there is nothing to study.", "study a sweep that trains."
        )
    return side


def _validate(desk: _Desk, sides: Mapping[str, StudyingJob]) -> None:
    pending = _pending(desk)
    for index, (subject_id, point) in enumerate(pending.items()):
        _tell(desk, "study_begin", point_id=point.point_id)
        problem = point.problem
        work = partial(_checked_validation, sides[point.workload], problem)
        ending, told = _studied(desk, subject_id, work, (index, len(pending)))
        if told is None:
            _tell(
                desk, "study_end", point_id=point.point_id, outcome=str(ending.outcome), reason=ending.reason
            )
            continue
        findings: Findings = from_json(Findings, told)
        if desk.ranks.rank == 0:
            write_validation(desk.folder, _validation(desk, subject_id, findings), desk.fence)
            remove_work_folder(desk.folder, subject_id)
        _tell(
            desk,
            "study_end",
            point_id=point.point_id,
            outcome=findings.verdict,
            reason=_gates_words(findings),
        )
    _tell(desk, "progress", done=len(pending), total=len(pending), text="every problem was studied")


def _search(desk: _Desk, sides: Mapping[str, StudyingJob]) -> None:
    if _is_searched(desk):
        return
    points = list({subject_id_of(point): point for point in desk.job.points}.values())
    (side,) = sides.values()
    work = partial(_checked_search, side, [point.problem for point in points])
    ending, told = _studied(desk, SEARCH_ID, work, (0, 1))
    if told is None:
        raise SaihError(f"the search failed: {ending.reason}", "mend that; the same command goes on with it.")
    if desk.ranks.rank == 0:
        search = Search(
            environment_id=desk.environment.environment_id,
            num_ranks=desk.ranks.num_ranks,
            plan=desk.plan,
            frontier=from_json(Frontier, told),
            finished_utc=_now(),
        )
        write_search(desk.folder, search, desk.fence)
        remove_work_folder(desk.folder, SEARCH_ID)
    _tell(desk, "progress", done=1, total=1, text="the search is done")


def _pending(desk: _Desk) -> dict[str, Point]:
    """The problems that are to be studied, each with a point that poses it, on all ranks."""
    points = {subject_id_of(point): point for point in reversed(desk.job.points)}
    if desk.ranks.rank == 0:
        ids = [subject_id for subject_id in reversed(points) if not _is_validated(desk, subject_id)]
        broadcast(desk.ranks.comm, {"subject_ids": ids})
    else:
        ids = broadcast(desk.ranks.comm, None)["subject_ids"]
    return {subject_id: points[subject_id] for subject_id in ids}


def _is_validated(desk: _Desk, subject_id: str) -> bool:
    try:
        found = read_validation(desk.folder, subject_id)
    except DamagedData:
        return False
    return found is not None and found.finished_utc >= desk.plan.since_utc


def _is_searched(desk: _Desk) -> bool:
    """Whether a search is kept that counts, on all ranks."""
    if desk.ranks.rank != 0:
        return bool(broadcast(desk.ranks.comm, None)["is_searched"])
    try:
        found = read_search(desk.folder)
    except DamagedData:
        found = None
    is_searched = found is not None and found.finished_utc >= desk.plan.since_utc
    broadcast(desk.ranks.comm, {"is_searched": is_searched})
    return is_searched


def _studied(desk: _Desk, study_id: str, work: Work, place: tuple[int, int]) -> tuple[Ending, Told | None]:
    """How the work ended for all ranks, and what was told where it completed."""
    told: Told | None = None
    own = COMPLETED
    asked = _study(desk, study_id, place)
    try:
        with open_means(desk.ranks, GENERATION_PATIENCE * desk.setting.watchdog_s) as means:
            told = work(replace(asked, means=means))
            asked.gather({})  # who is done hears of those that fail until then
    except OtherRankError:
        told = None
    # A sys.exit in an application must not leave the other ranks waiting either.
    except (Exception, SystemExit) as error:
        own = failure(error, desk.ranks.rank)
        tell_failure(desk.comm, desk.setting.sentinel.beat)
    ending = agree_or_give_up(own, desk.setting, GENERATION_PATIENCE)
    _release(desk.ranks.device)
    return ending, told if ending == COMPLETED else None


def _study(desk: _Desk, study_id: str, place: tuple[int, int]) -> Study:
    if desk.ranks.rank == 0:
        path = make_work_folder(desk.folder, study_id)
        broadcast(desk.ranks.comm, {"path": str(path)})
    else:
        path = Path(broadcast(desk.ranks.comm, None)["path"])

    def progress(text: str) -> None:
        desk.setting.sentinel.beat(f"studying: {text}")
        _tell(desk, "progress", done=place[0], total=place[1], text=text)

    return Study(
        rank=desk.ranks.rank,
        num_ranks=desk.ranks.num_ranks,
        device=desk.ranks.device,
        seed=desk.plan.seed,
        data_folder=desk.setting.data_folder,
        folder=path,
        budget_s=desk.plan.budget_s,
        gather=partial(gather_told, desk.comm, beat=desk.setting.sentinel.beat),
        progress=progress,
    )


def _checked_validation(side: StudyingJob, problem: Problem, told_to: Study) -> Told:
    told = side.validate(problem, told_to)
    from_json(Findings, told)
    return told


def _checked_search(side: StudyingJob, problems: Sequence[Problem], told_to: Study) -> Told:
    told = side.search(problems, told_to)
    from_json(Frontier, told)
    return told


def _validation(desk: _Desk, subject_id: str, findings: Findings) -> Validation:
    return Validation(
        subject_id=subject_id,
        environment_id=desk.environment.environment_id,
        num_ranks=desk.ranks.num_ranks,
        plan=desk.plan,
        findings=findings,
        finished_utc=_now(),
    )


def _gates_words(findings: Findings) -> str:
    """Such as ``6 gates passed, 1 failed (G5), 2 not run``."""
    counts = findings.counts
    failed = ", ".join(gate.name for gate in findings.gates if gate.verdict == "failed")
    named = f" ({failed})" if failed else ""
    return f"{counts['passed']} gates passed, {counts['failed']} failed{named}, {counts['not run']} not run"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _tell(desk: _Desk, event: str, **content: object) -> None:
    if desk.ranks.rank == 0:
        tell(event, **content)


def _release(device: str) -> None:
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()


def _no_words(ending: Ending) -> None:
    """No attempt is open here; the error event tells."""
