"""Following the jobs of a sweep from a terminal: one line for each change, until none is left."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from saih.commands.lines import Lines, stderr_is_live
from saih.commands.remaining import time_left
from saih.commands.situation import Account, read_account
from saih.commands.standing import standing_counts
from saih.domain.errors import Interrupted
from saih.launch.interruption import interruption
from saih.launch.point_standing import PointStanding, Standing
from saih.launch.situation import Condition, JobStatus
from saih.planner.plan import Plan
from saih.store.point_state import PointState
from saih.store.sweep_folder import SweepFolder, point_states

_LOOK_S = 3.0
"""Between two looks at the files of the sweep; the scheduler is asked far less often."""
_TICK_S = 0.2
_STAYS = (Standing.DONE, Standing.FAILED)


def follow(folder: SweepFolder, plan: Plan) -> Mapping[str, PointState]:
    """Tell what the jobs of a sweep do until no job is left that may work on its points.

    Raises:
        Interrupted: when a signal asked to stop; that stops the waiting only.
    """
    lines = Lines(is_live=stderr_is_live())
    teller = Teller(plan=plan)
    with interruption() as asked:
        try:
            while True:
                states = point_states(folder, [planned.point.point_id for planned in plan.points])
                account = read_account(folder, states)
                for line in teller.changes(account):
                    lines.stay(line)
                if not any(is_awaited(job) for job in account.jobs):
                    return states
                lines.now(summary(plan, account, states))
                until_s = time.monotonic() + _LOOK_S
                while time.monotonic() < until_s:
                    if asked.signal is not None:
                        raise _stopped(folder, asked.signal)
                    time.sleep(_TICK_S)
        finally:
            lines.close()


def is_awaited(job: JobStatus) -> bool:
    """Whether something may still come of a job."""
    return job.condition not in (Condition.ENDED, Condition.SPARE)


def summary(plan: Plan, account: Account, states: Mapping[str, PointState]) -> str:
    """Points, how long they may take, and jobs in one line."""
    points = ", ".join(f"{count} {name}" for name, count in standing_counts(plan, account.standings).items())
    jobs = "; ".join(job.words for job in account.jobs if is_awaited(job))
    left = {point_id for point_id, state in states.items() if state.is_to_be_measured}
    return " | ".join(part for part in (points, time_left(plan, left, account.standings), jobs) if part)


@dataclass(slots=True, kw_only=True)
class Teller:
    """Remembers what was told, and tells what changed since."""

    plan: Plan
    points: dict[str, Standing] = field(default_factory=dict)
    jobs: dict[tuple[int, int | None], tuple[Condition, str]] = field(default_factory=dict)
    is_first: bool = True

    def changes(self, account: Account) -> Iterator[str]:
        """A line for each job and each point that changed; what was over at the start is no news."""
        for job in account.jobs:
            key, now = (job.submission, job.batch), (job.condition, job.head)
            is_news = self.jobs.get(key) != now and not (self.is_first and not job.is_live)
            self.jobs[key] = now
            if is_news:
                yield f"{job.task}: {job.head}{f' -> {job.advice}' if job.advice else ''}"
        num_over = sum(standing in _STAYS for standing in self.points.values())
        for planned in self.plan.points:
            point_id = planned.point.point_id
            one = account.standings[point_id]
            is_news = one.standing in _STAYS and self.points.get(point_id) is not one.standing
            self.points[point_id] = one.standing
            num_over += is_news
            if is_news and not self.is_first:
                words = ", ".join(planned.labels.values())
                yield f"[{num_over}/{len(self.plan.points)}] {words}: {_result(one)}"
        self.is_first = False


def _result(one: PointStanding) -> str:
    return "completed" if one.standing is Standing.DONE else one.why


def _stopped(folder: SweepFolder, number: int) -> Interrupted:
    error = Interrupted(
        "stopped waiting; the jobs go on without this terminal.",
        f"`saih status {folder.name}` shows them, `saih cancel {folder.name}` ends them.",
    )
    error.exit_code = 128 + number
    return error
