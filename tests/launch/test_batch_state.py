"""What jobs, batches and points are doing: every combination of files and scheduler's words."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from saih.domain.batch import Batch, BatchProgress, Holder, Receipt, Submission
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome
from saih.domain.site import Site
from saih.launch.batch_state import job_statuses
from saih.launch.job_view import JobView
from saih.launch.point_standing import Standing, live_points, point_standings
from saih.launch.scheduler_view import SchedulerView
from saih.launch.situation import Condition, Situation, Submitted, Worked
from saih.launch.waiting import explain
from saih.store.point_state import PointState, PointStatus

WRITTEN = "2026-11-20T10:00:00+00:00"
SUBMITTED = "2026-11-20T10:00:01+00:00"
ASKED = "2026-11-20T10:30:00+00:00"
HEARD = "2026-11-20T10:29:00+00:00"
NAME = "saih-tiny-0a1b2c"


def point(width: int) -> Point:
    return Point(
        workload="cosmoflow",
        problem=Problem(data=Shape.of(resolution=16), model=Shape.of(width=width)),
        batch_per_rank=1,
        precision="float32",
        exchange="ddp",
        placement=Placement(nodes=2, data_parallel=2),
        timing=Timing(),
        seed=1,
    )


FIRST, SECOND = point(4), point(8)
BATCH = Batch(number=1, points=(FIRST, SECOND), nodes=2, predicted_s=60.0, time_limit_s=600.0)
PENDING = PointState(status=PointStatus.PENDING, outcome=None, reason="", num_attempts=0, num_lost=0)
DONE = replace(PENDING, status=PointStatus.COMPLETED, outcome=Outcome.COMPLETED, num_attempts=1)


def submission(**changes: object) -> Submission:
    values = {
        "number": 1,
        "task": "measure",
        "token": NAME,
        "batches": (1,),
        "after": (),
        "site": Site(scheduler="slurm"),
        "data_folder": "/data",
        "written_utc": WRITTEN,
    }
    return Submission(**(values | changes))  # type: ignore[arg-type]


RECEIPT = Receipt(job_id="12", submitted_utc=SUBMITTED)
HOLDER = Holder(token="t1", job_id="12", host="n1", process=7, since_utc=SUBMITTED, num_idle_restarts=0)
PROGRESS = BatchProgress(
    token="t1",
    task="measure",
    point_id=FIRST.point_id,
    num_done=0,
    num_points=2,
    text="[1/2]",
    at_utc=HEARD,
)


def job(state: str, reason: str = "None", **changes: object) -> JobView:
    values = {"job_id": "12", "name": NAME, "state": state, "reason": reason, "nodes": "", "index": None}
    return JobView(**(values | changes))  # type: ignore[arg-type]


def view(*jobs: JobView, accounts: tuple[JobView, ...] = (), problem: str = "") -> SchedulerView:
    return SchedulerView(asked_utc=ASKED, jobs=jobs, accounts=accounts, problem=problem)


def situation(
    seen: SchedulerView | None,
    *,
    submitted: Submitted | None = None,
    holder: Holder | None = None,
    progress: BatchProgress | None = None,
    finished: frozenset[str] = frozenset(),
) -> Situation:
    return Situation(
        submissions=(submitted or Submitted(submission=submission(), receipt=RECEIPT),),
        batches={1: Worked(batch=BATCH, holder=holder, progress=progress)},
        view=seen,
        finished=finished,
    )


EVERY_POINT = frozenset({FIRST.point_id, SECOND.point_id})
LATE = replace(RECEIPT, submitted_utc=ASKED)


@pytest.mark.parametrize(
    ("seen", "condition", "words"),
    [
        (
            view(job("PENDING", "Resources")),
            Condition.WAITING,
            "job 12 PENDING (Resources): no nodes are free",
        ),
        (view(job("PENDING", "Priority")), Condition.WAITING, "(Priority): other jobs come first"),
        (view(job("PENDING", "Dependency")), Condition.WAITING, "an earlier job of this sweep"),
        (view(job("PENDING", "DependencyNeverSatisfied")), Condition.STUCK, "so it never starts"),
        (view(job("PENDING", "JobHeldUser")), Condition.STUCK, "held by its owner"),
        (view(job("PENDING", "JobHeldAdmin")), Condition.STUCK, "held by an administrator"),
        (view(job("PENDING", "launch failed requeued held")), Condition.STUCK, "could not start it"),
        (view(job("REQUEUE_HOLD", "")), Condition.STUCK, "it is held"),
        (view(job("PENDING", "PartitionTimeLimit")), Condition.STUCK, "more time than the partition"),
        (view(job("PENDING", "BadConstraints")), Condition.STUCK, "no node has what it asks for"),
        (
            view(job("PENDING", "ReqNodeNotAvail, UnavailableNodes:n3")),
            Condition.WAITING,
            "(ReqNodeNotAvail, UnavailableNodes:n3): nodes that it asks for are not available",
        ),
        (view(job("PENDING", "QOSMaxJobsPerUserLimit")), Condition.WAITING, "a limit of the QOS"),
        (view(job("PENDING", "AssocGrpNodeLimit")), Condition.WAITING, "a limit of the account"),
        (view(job("PENDING", "BeginTime")), Condition.WAITING, "put back into the queue"),
        (view(job("PENDING", "SomethingNew")), Condition.WAITING, "job 12 PENDING (SomethingNew)"),
        (view(job("SUSPENDED")), Condition.WAITING, "stopped for a while"),
        (view(job("RUNNING", nodes="n[1-2]")), Condition.RUNNING, "job 12 running on n[1-2]"),
        (view(job("COMPLETING", nodes="n1")), Condition.RUNNING, "job 12 is ending on n1"),
        (view(job("CONFIGURING", nodes="n1")), Condition.RUNNING, "gets its nodes ready on n1"),
        (view(), Condition.ENDED, "job 12 is gone: the scheduler no longer knows it"),
        (view(accounts=(job("TIMEOUT"),)), Condition.ENDED, "ran into its time limit (TIMEOUT)"),
        (view(accounts=(job("CANCELLED"),)), Condition.ENDED, "was cancelled (CANCELLED)"),
        (view(accounts=(job("OUT_OF_MEMORY"),)), Condition.ENDED, "ran out of memory (OUT_OF_MEMORY)"),
        (view(accounts=(job("NODE_FAIL"), job("FAILED"))), Condition.ENDED, "job 12 failed (FAILED)"),
        (view(accounts=(job("REQUEUED"),)), Condition.ENDED, "though the accounts still say REQUEUED"),
        (view(accounts=(job("RUNNING"),)), Condition.ENDED, "though the accounts still say RUNNING"),
        (view(job("COMPLETED")), Condition.ENDED, "job 12 ended (COMPLETED)"),
        (view(job("PENDING", "Resources"), accounts=(job("PREEMPTED"),)), Condition.WAITING, "(Resources)"),
        (view(problem="squeue does not answer."), Condition.UNKNOWN, "job 12: squeue does not answer"),
        (None, Condition.UNKNOWN, "job 12: the scheduler was not asked"),
    ],
)
def test_a_job_is_told_by_the_schedulers_word(
    seen: SchedulerView | None, condition: Condition, words: str
) -> None:
    (status,) = job_statuses(situation(seen))
    assert status.condition is condition
    assert words in status.words
    assert bool(status.advice) >= (condition is Condition.STUCK)
    assert status.is_live is (condition is not Condition.ENDED)


@pytest.mark.parametrize("state", ["PENDING", "REQUEUED", "REQUEUE_HOLD"])
def test_a_queued_job_whose_points_are_all_done_is_spare(state: str) -> None:
    (status,) = job_statuses(situation(view(job(state, "JobHeldUser")), finished=EVERY_POINT))
    assert status.condition is Condition.SPARE
    assert "saih cancel" in status.advice
    standings = point_standings(
        dict.fromkeys(EVERY_POINT, DONE), situation(None, finished=EVERY_POINT), (status,)
    )
    assert {one.standing for one in standings.values()} == {Standing.DONE}


@pytest.mark.parametrize("seen", [view(), view(problem="down"), None, view(accounts=(job("REQUEUED"),))])
def test_outcomes_decide_whatever_the_scheduler_says(seen: SchedulerView | None) -> None:
    (status,) = job_statuses(situation(seen, finished=EVERY_POINT))
    assert status.condition is Condition.ENDED
    assert "all its points have an outcome" in status.words


def test_progress_of_an_earlier_holder_is_void() -> None:
    later = replace(HOLDER, token="t2", host="n3")
    known = situation(view(job("RUNNING", nodes="n3")), holder=later, progress=PROGRESS)
    jobs = job_statuses(known)
    assert "0 of 2" not in jobs[0].words
    assert "taken up on n3" in jobs[0].words
    standings = point_standings({FIRST.point_id: PENDING}, known, jobs)
    assert standings[FIRST.point_id].standing is Standing.WAITING


def test_a_holder_that_came_after_the_scheduler_was_asked_knows_better() -> None:
    began = replace(HOLDER, since_utc="2026-11-20T10:30:02.123456+00:00")
    (status,) = job_statuses(situation(view(job("PENDING", "Priority")), holder=began))
    assert status.condition is Condition.RUNNING
    assert "job 12 has begun" in status.words


def test_a_job_whose_holder_said_its_last_word_is_ending() -> None:
    known = situation(
        view(job("RUNNING", nodes="n1")), holder=HOLDER, progress=replace(PROGRESS, task="ended", point_id="")
    )
    assert "job 12 is ending on n1" in job_statuses(known)[0].words
    assert job_statuses(known)[0].is_live


def test_the_point_that_its_holder_names_is_running_and_the_next_one_waits_for_its_turn() -> None:
    known = situation(view(job("RUNNING", nodes="n[1-2]")), holder=HOLDER, progress=PROGRESS)
    found = point_standings(dict.fromkeys(EVERY_POINT, PENDING), known, job_statuses(known))
    assert found[FIRST.point_id].standing is Standing.RUNNING
    assert "on n1 since 2026-11-20 10:29:00 UTC" in found[FIRST.point_id].why
    assert found[SECOND.point_id].standing is Standing.WAITING
    assert "its turn in batch 1" in found[SECOND.point_id].why


def test_a_requeued_job_has_no_running_point_though_its_files_still_name_one() -> None:
    known = situation(view(job("PENDING", "BeginTime")), holder=HOLDER, progress=PROGRESS)
    found = point_standings(dict.fromkeys(EVERY_POINT, PENDING), known, job_statuses(known))
    assert {one.standing for one in found.values()} == {Standing.WAITING}


@pytest.mark.parametrize(
    ("seen", "condition", "words"),
    [
        (view(job("PENDING", "Priority", job_id="99")), Condition.WAITING, "job 99 PENDING"),
        (view(job("RUNNING", job_id="99")), Condition.RUNNING, "job 99 running"),
        (view(accounts=(job("FAILED", job_id="99"),)), Condition.ENDED, "failed (FAILED)"),
        (view(job("RUNNING", name="another")), Condition.ENDED, "it never reached the scheduler"),
        (view(problem="down"), Condition.UNKNOWN, "a job without a known id: down"),
        (
            replace(view(), asked_utc="2026-11-20T10:01:00+00:00"),
            Condition.WAITING,
            "it is being submitted right now",
        ),
    ],
)
def test_a_job_whose_id_was_lost_is_found_by_its_name(
    seen: SchedulerView, condition: Condition, words: str
) -> None:
    lost = Submitted(submission=submission(), receipt=None)
    (status,) = job_statuses(situation(seen, submitted=lost))
    assert status.condition is condition
    assert words in status.words


def test_a_job_of_a_deleted_folder_is_not_taken_for_one_without_an_answer() -> None:
    unanswered = Submitted(submission=submission(earlier_job_ids=("12",)), receipt=None)
    (said,) = job_statuses(situation(view(job("RUNNING")), submitted=unanswered))
    assert (said.condition, said.job_id) == (Condition.ENDED, "")
    (said,) = job_statuses(situation(view(job("RUNNING", job_id="13")), submitted=unanswered))
    assert (said.condition, said.job_id) == (Condition.RUNNING, "13")


def test_a_state_of_a_later_slurm_is_no_end_though_its_name_begins_like_one() -> None:
    known = situation(view(job("PREEMPT")))
    (said,) = job_statuses(known)
    assert said.is_live


def test_a_scheduler_that_cannot_be_asked_leaves_the_last_word_to_the_job() -> None:
    elsewhere = Submitted(submission=submission(site=Site(scheduler="pbs")), receipt=RECEIPT)
    seen = view(problem="SAIH cannot ask pbs about its jobs")
    for task, condition in (("measure", Condition.UNKNOWN), ("ended", Condition.ENDED)):
        said = replace(PROGRESS, task=task)
        known = situation(seen, submitted=elsewhere, holder=HOLDER, progress=said)
        assert job_statuses(known)[0].condition is condition


def test_jobs_of_a_scheduler_that_cannot_be_asked_are_over_when_the_files_tell_so() -> None:
    site, seen = Site(scheduler="pbs"), view(problem="SAIH cannot ask pbs about its jobs")
    tasks = ((1, "generate", (1,), ()), (2, "measure", (1,), (1,)), (3, "report", (), (2,)))
    chain = tuple(
        Submitted(
            submission=submission(number=number, task=task, batches=batches, after=after, site=site),
            receipt=RECEIPT,
        )
        for number, task, batches, after in tasks
    )
    begun = situation(seen, holder=HOLDER, progress=PROGRESS)
    for finished, holder, expected in (
        (frozenset(), None, (Condition.UNKNOWN,) * 3),
        (frozenset(), HOLDER, (Condition.ENDED, Condition.UNKNOWN, Condition.UNKNOWN)),
        (EVERY_POINT, HOLDER, (Condition.ENDED,) * 3),
    ):
        worked = {1: Worked(batch=BATCH, holder=holder, progress=None)}
        known = replace(begun, submissions=chain, batches=worked, finished=finished)
        assert tuple(status.condition for status in job_statuses(known)) == expected


def test_lsf_puts_a_job_back_that_was_stopped_and_no_other() -> None:
    submitted = Submitted(submission=submission(site=Site(scheduler="lsf")), receipt=RECEIPT)
    for text, condition in (("stopped: a signal", Condition.UNKNOWN), ("failed: it", Condition.ENDED)):
        said = replace(PROGRESS, task="ended", text=text)
        known = situation(view(problem="no"), submitted=submitted, holder=HOLDER, progress=said)
        (status,) = job_statuses(known)
        assert status.condition is condition
        assert ("submission-1" in status.advice) == status.is_live


def test_a_job_submitted_after_the_scheduler_was_asked_is_live() -> None:
    fresh = Submitted(submission=submission(), receipt=LATE)
    (status,) = job_statuses(situation(view(), submitted=fresh))
    assert status.condition is Condition.WAITING
    assert "a moment ago" in status.words


def test_elements_of_an_array_are_told_apart_and_waiting_ones_may_come_together() -> None:
    other = replace(BATCH, number=2, points=(point(16),))
    array = Submitted(submission=submission(batches=(1, 2)), receipt=RECEIPT)
    known = replace(
        situation(
            view(job("RUNNING", index=0, nodes="n1"), job("PENDING", "JobArrayTaskLimit")), submitted=array
        ),
        batches={
            1: Worked(batch=BATCH, holder=HOLDER, progress=PROGRESS),
            2: Worked(batch=other, holder=None, progress=None),
        },
    )
    first, second = job_statuses(known)
    assert (first.job_id, first.batch, first.condition) == ("12_0", 1, Condition.RUNNING)
    assert (second.job_id, second.batch, second.condition) == ("12_1", 2, Condition.WAITING)
    assert "max_jobs" in second.words
    assert set(live_points(known, (first, second))) == {*EVERY_POINT, point(16).point_id}


def test_data_sets_of_many_batches_are_made_by_one_job() -> None:
    making = Submitted(submission=submission(task="generate", batches=(1, 2)), receipt=RECEIPT)
    known = situation(view(job("RUNNING", nodes="n1")), submitted=making, finished=EVERY_POINT)
    (status,) = job_statuses(known)
    assert (status.job_id, status.batch, status.condition) == ("12", None, Condition.RUNNING)
    assert not live_points(known, (status,))


def test_a_job_that_ended_too_early_is_told_with_its_last_word() -> None:
    said = replace(PROGRESS, task="ended", point_id="", text="failed: another\n environment")
    known = situation(view(accounts=(job("FAILED"),)), holder=HOLDER, progress=said)
    found = point_standings({FIRST.point_id: PENDING}, known, job_statuses(known))
    assert "failed: another environment" in found[FIRST.point_id].why


def test_a_point_left_over_by_a_dead_job_is_not_submitted_and_says_why() -> None:
    known = situation(view(accounts=(job("TIMEOUT"),)))
    found = point_standings({FIRST.point_id: PENDING}, known, job_statuses(known))
    assert found[FIRST.point_id].standing is Standing.NOT_SUBMITTED
    assert "time limit" in found[FIRST.point_id].why
    assert not live_points(known, job_statuses(known))


def test_a_point_is_told_by_its_live_batch_rather_than_a_later_dead_one() -> None:
    again = Submitted(
        submission=submission(number=2, token="saih-other", batches=(2,)),
        receipt=replace(RECEIPT, job_id="13"),
    )
    one = situation(view(job("RUNNING", nodes="n1")))
    known = replace(
        one,
        submissions=(*one.submissions, again),
        batches={**one.batches, 2: Worked(batch=replace(BATCH, number=2), holder=None, progress=None)},
    )
    jobs = job_statuses(known)
    assert [status.is_live for status in jobs] == [True, False]
    assert live_points(known, jobs)[FIRST.point_id].job_id == "12"


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in (Outcome.COMPLETED, Outcome.LOST)])
def test_a_failed_point_says_why_and_what_to_do(outcome: Outcome) -> None:
    state = replace(PENDING, status=PointStatus.FAILED, outcome=outcome, reason="rank 1: it broke")
    known = situation(view(job("RUNNING")))
    found = point_standings({FIRST.point_id: state}, known, job_statuses(known))[FIRST.point_id]
    assert found.standing is Standing.FAILED
    assert "rank 1: it broke" in found.why
    assert found.advice


def test_a_point_of_no_batch_is_not_submitted() -> None:
    known = replace(situation(None), submissions=(), batches={})
    found = point_standings({FIRST.point_id: PENDING}, known, job_statuses(known))
    assert found[FIRST.point_id].standing is Standing.NOT_SUBMITTED


STATES = ("PENDING", "RUNNING", "COMPLETING", "REQUEUED", "COMPLETED", "FAILED", "CANCELLED by 7", "X", "")


@pytest.mark.parametrize(
    ("queued", "accounted", "has_receipt", "holding", "finished"),
    tuple(
        itertools.product(
            (None, *STATES), (None, *STATES), (True, False), (None, HOLDER), (frozenset(), EVERY_POINT)
        )
    ),
)
def test_every_combination_is_told_and_no_unfinished_point_of_a_queued_job_is_free(
    queued: str | None,
    accounted: str | None,
    has_receipt: bool,  # noqa: FBT001 - a table's column
    holding: Holder | None,
    finished: frozenset[str],
) -> None:
    seen = view(
        *([] if queued is None else [job(queued)]),
        accounts=() if accounted is None else (job(accounted),),
    )
    known = situation(
        seen,
        submitted=Submitted(submission=submission(), receipt=RECEIPT if has_receipt else None),
        holder=holding,
        progress=PROGRESS if holding else None,
        finished=finished,
    )
    (status,) = job_statuses(known)
    assert status.words
    is_queued = queued is not None and queued.split()[:1] not in (["COMPLETED"], ["FAILED"], ["CANCELLED"])
    assert status.is_live >= is_queued
    states = {one: DONE if one in finished else PENDING for one in EVERY_POINT}
    found = point_standings(states, known, (status,))
    assert all(found[one].standing is Standing.DONE for one in finished)
    assert all(
        (found[one].standing is Standing.NOT_SUBMITTED) is not status.is_live
        for one in EVERY_POINT - finished
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_word_a_scheduler_says_is_passed_on(state: str, reason: str) -> None:
    (status,) = job_statuses(situation(view(job(state, reason))))
    assert status.words
    assert explain(reason).is_stuck is bool(explain(reason).advice)
