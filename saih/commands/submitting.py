"""A sweep handed to a scheduler: planned, checked, packed into jobs, submitted; then followed, if asked."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from saih.commands.cancelling import cancel_spare_jobs
from saih.commands.following import follow, is_awaited
from saih.commands.listing import plan_json, plan_text
from saih.commands.outcome import next_command, states_json, where_option
from saih.commands.selection import read_choice
from saih.commands.situation import Account, read_account
from saih.commands.stage import dropped_words, limits_at, require_points
from saih.commands.standing import account_json, jobs_text, standing_counts
from saih.commands.talk import give, give_json, say
from saih.commands.verify_cost import point_cost_s
from saih.commands.wish import Wish, report_path, write_report_of
from saih.config.definition import define
from saih.domain.batch import Batch, Submission
from saih.domain.limits import Limits
from saih.domain.quantity import counted
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.launch.lock import sweep_lock
from saih.launch.preflight import check
from saih.launch.submission import reconcile, submit
from saih.launch.submission_plan import Order, Prepared, prepare
from saih.planner.duration import apart_s
from saih.planner.packing import pack, time_limit_s, within_time
from saih.planner.plan import Plan, PlannedPoint, make_plan
from saih.store.adaptive_file import forget_adaptive
from saih.store.batch_folder import batch_numbers
from saih.store.limits_file import write_limits
from saih.store.point_state import PointState, PointStatus
from saih.store.retry import set_failures_aside
from saih.store.sweep_folder import SweepFolder, point_states, record_definition

_LOCK_PATIENCE_S = 5.0
"""For another command that submits the same sweep."""
_USUAL_MAX_ELEMENTS = 1000
"""Of a job array, where the scheduler is not asked: Slurm's own default is 1001."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """One sweep on one system."""

    wish: Wish
    site: Site
    asked: Sweep
    limits: Limits
    plan: Plan
    folder: SweepFolder

    def states(self) -> Mapping[str, PointState]:
        """What became of every point so far."""
        return point_states(self.folder, [planned.point.point_id for planned in self.plan.points])

    def order(self, point_ids: Collection[str], first_number: int) -> Order | None:
        """These points as batches; None for no points."""
        left = [planned for planned in self.plan.points if planned.point.point_id in point_ids]
        if not left:
            return None
        batches = self._packed(left, first_number)
        return Order(
            site=self.site,
            batches=batches,
            data_folder=self.wish.choice.data_folder,
            reports_folder=self.wish.reports_folder if self.wish.is_reporting else None,
            generating_limit_s=time_limit_s(apart_s(left), self.site),
        )

    def _packed(self, left: list[PlannedPoint], first_number: int) -> tuple[Batch, ...]:
        verify = self.wish.verify
        if verify is None:
            return pack(left, self.site, first_number=first_number)
        more_s = max(point_cost_s(verify, one.point) for one in left)
        batches = pack(left, self.site, first_number=first_number, more_s=more_s)
        return tuple(batch.verifying(verify) for batch in batches)

    def next_number(self) -> int:
        """The number of the first batch to come."""
        return max(batch_numbers(self.folder), default=0) + 1


def show_submission(wish: Wish, site: Site) -> None:
    """Print exactly what would be submitted; nothing is written, and no scheduler is asked."""
    cluster = _cluster(wish, site)
    wanted = {point_id for point_id, state in cluster.states().items() if _is_wanted(state, wish)}
    order = cluster.order(wanted, cluster.next_number())
    jobs = prepare(cluster.folder, order, _USUAL_MAX_ELEMENTS) if order else ()
    batches = {batch.number: batch for batch in order.batches} if order else {}
    if wish.is_json:
        told = [_job_json(job) for job in jobs]
        give_json("dry-run", {**plan_json(cluster.asked, cluster.plan, site), "jobs": told})
        return
    give(plan_text(cluster.asked, cluster.plan, site))
    give(f"\n{counted(len(jobs), 'job')} for {site.scheduler} at {site.name}:")
    for job in jobs:
        give(f"\n# {_job_words(job.submission, batches)}\n$ {shlex.join(job.command)}\n")
        give(job.script)
    say("No scheduler was asked: whether it takes these jobs, and has some of them already, is not checked.")


def submit_sweep(wish: Wish, site: Site, *, is_waiting: bool) -> int:
    """Submit what is missing and not under way; gives the exit code."""
    cluster = _cluster(wish, site)
    choice, folder = wish.choice, cluster.folder
    check(site, cluster.plan.placements, [choice.results_folder, choice.data_folder, wish.reports_folder])
    record_definition(folder, define(cluster.asked))
    forget_adaptive(folder)
    write_limits(folder, cluster.limits)
    for note in (*cluster.plan.notes, *dropped_words(cluster.plan)):
        say(note)
    # Held until all is written down: a sweep that begins on this machine looks at it then.
    with sweep_lock(folder.path / "lock", _LOCK_PATIENCE_S, say):
        num_new = _submit_missing(cluster)
    states = cluster.states()
    account = read_account(folder, states)
    _tell(cluster, account, num_new=num_new)
    has_jobs = any(is_awaited(job) for job in account.jobs)
    if has_jobs and not is_waiting:
        return _leave(cluster, states, account)
    states = follow(folder, cluster.plan) if has_jobs else states
    return _end(cluster, states)


def _submit_missing(cluster: _Cluster) -> int:
    """Submit the points that are missing and that no job may work on; gives their number."""
    folder = cluster.folder
    # Taken before the look at what is under way: whoever submits after that look takes these numbers first,
    # and then this command refuses to submit.
    first_number = cluster.next_number()
    reconcile(folder, say)
    account = read_account(folder, cluster.states(), is_fresh=True, is_strict=True)
    for job in cancel_spare_jobs(account.jobs):
        say(f"cancelled job {job.job_id}: its points all have an outcome")
    left = _missing(cluster, account.live_points)
    if order := cluster.order(left, first_number):
        submit(folder, order, say)
    return len(left)


def _missing(cluster: _Cluster, live: Collection[str]) -> set[str]:
    """The points to submit; failed ones too, if asked, but none that a job may work on."""
    states = cluster.states()
    if cluster.wish.is_retrying:
        failed = [one for one, state in states.items() if state.status is PointStatus.FAILED]
        set_failures_aside(cluster.folder, [point_id for point_id in failed if point_id not in live])
        states = cluster.states()
    return {one for one, state in states.items() if state.is_to_be_measured and one not in live}


def _cluster(wish: Wish, site: Site) -> _Cluster:
    asked = read_choice(wish.choice)
    limits = limits_at(site, wish.choice.data_folder)
    plan = within_time(make_plan(asked, limits), site)
    require_points(asked, plan)
    folder = SweepFolder(wish.choice.results_folder, asked.name)
    return _Cluster(wish=wish, site=site, asked=asked, limits=limits, plan=plan, folder=folder)


def _is_wanted(state: PointState, wish: Wish) -> bool:
    return state.is_to_be_measured or (wish.is_retrying and state.status is PointStatus.FAILED)


def _tell(cluster: _Cluster, account: Account, *, num_new: int) -> None:
    """What was submitted, what was under way before, and what to do next."""
    folder, name = cluster.folder, cluster.folder.name
    found = standing_counts(cluster.plan, account.standings)
    words = ", ".join(f"{number} {word}" for word, number in found.items())
    say(f"{name}: {counted(num_new, 'point')} submitted; {words}")
    if not account.live_jobs:
        return
    say(jobs_text(account.live_jobs))
    where = where_option(folder)
    say(f"status:  saih status {name}{where}")
    say(f"cancel:  saih cancel {name}{where}")
    say(f"logs:    {folder.path / 'submissions'}/submission-N/log-*.txt")
    if cluster.wish.is_reporting:
        say(f"report:  {report_path(cluster.wish, name)}, when the last job has ended")


def _leave(cluster: _Cluster, states: Mapping[str, PointState], account: Account) -> int:
    """End while the jobs go on."""
    if cluster.wish.is_json:
        content = {**states_json(cluster.plan, states), **account_json(account)}
        give_json("sweep", {"sweep": cluster.folder.name, **content, "report": None})
    else:
        give("\n".join(job.job_id for job in account.live_jobs if job.job_id))
    return 0


def _end(cluster: _Cluster, states: Mapping[str, PointState]) -> int:
    """The report and the exit code, when no job is left."""
    wish, folder = cluster.wish, cluster.folder
    account = read_account(folder, states)
    is_complete = all(state.status is PointStatus.COMPLETED for state in states.values())
    has_results = any(state.outcome is not None for state in states.values())
    report = write_report_of(wish, folder) if wish.is_reporting and has_results else None
    found = standing_counts(cluster.plan, account.standings)
    say(f"{folder.name}: " + ", ".join(f"{number} {word}" for word, number in found.items()))
    if not is_complete:
        say(jobs_text(account.jobs))
        say(f"next: saih status {folder.name}, then {next_command(folder, states)}")
    if wish.is_json:
        content = {**states_json(cluster.plan, states), **account_json(account)}
        give_json("sweep", {"sweep": folder.name, **content, "report": report and str(report)})
    elif report is not None:
        give(str(report))
    return 0 if is_complete else 1


def _job_words(submission: Submission, batches: Mapping[int, Batch]) -> str:
    """What a job is for, in a line."""
    ours = [batches[number] for number in submission.batches]
    points = counted(sum(len(batch.points) for batch in ours), "point")
    if submission.task == "report":
        return "writes the report"
    if submission.task == "generate":
        return f"makes the data sets of {points}"
    nodes = counted(max(batch.nodes for batch in ours), "node")
    shape = "one batch" if len(ours) == 1 else f"an array of {len(ours)} batches"
    return f"measures {points} as {shape}, on {nodes}"


def _job_json(job: Prepared) -> dict[str, object]:
    return {
        "submission": job.submission.number,
        "task": job.submission.task,
        "batches": list(job.submission.batches),
        "after": list(job.submission.after),
        "command": list(job.command),
        "script": job.script,
    }
