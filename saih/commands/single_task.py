"""One task of a campaign by itself: making data sets, measuring ceilings, or studying."""

from collections.abc import Mapping, Sequence

from saih.commands.choice import Choice
from saih.commands.lines import stderr_is_live
from saih.commands.progress import Progress
from saih.commands.selection import read_choice
from saih.commands.stage import plan_here, require_points
from saih.commands.talk import say
from saih.config.definition import define
from saih.domain.ceiling import Ceilings
from saih.domain.errors import SaihError
from saih.domain.job import Task
from saih.domain.point import Placement, Point
from saih.domain.sweep import Sweep
from saih.launch.interruption import interruption
from saih.launch.job_run import Options, Surroundings, require_done, run_job
from saih.launch.lock import sweep_lock
from saih.launch.search_loss import left_out_words
from saih.launch.starter_alone import find_starter
from saih.machine.environment import capture
from saih.planner.plan import Plan, PlannedPoint
from saih.store.ceilings_file import read_ceilings
from saih.store.sweep_folder import SweepFolder, record_definition


def run_task(choice: Choice, task: Task) -> Plan:
    """Do the task for every placement of the chosen sweep; gives its plan."""
    asked = read_choice(choice)
    plan = plan_here(asked, choice.data_folder)
    require_points(asked, plan)
    run_for(plan.points, task, asked, choice, Options(seed=asked.seed))
    return plan


def run_for(
    points: Sequence[PlannedPoint], task: Task, sweep: Sweep, choice: Choice, options: Options
) -> None:
    """Do the task for these points of a sweep, placement by placement, on this machine."""
    folder = SweepFolder(choice.results_folder, sweep.name)
    starter = find_starter({one.point.placement for one in points}, options.site)
    record_definition(folder, define(sweep))
    words = {one.point.point_id: ", ".join(one.labels.values()) for one in points}
    progress = Progress(words=words, num_points=len(points), is_live=stderr_is_live())
    with (
        interruption() as asked_to_stop,
        sweep_lock(folder.path / "lock", options.lock_patience_s, say) as lock,
    ):
        around = Surroundings(
            folder=folder,
            data_folder=choice.data_folder,
            environment=capture(),
            on_event=progress.hear,
            options=options,
            starter=starter,
            overseer=asked_to_stop,
            lock=lock,
        )
        with progress.telling():
            for placement, placed in _by_placement(points).items():
                while (end := run_job(around, task, placement, placed)).left_out:
                    for trial in end.left_out.values():
                        say(left_out_words(trial))
                require_done(end)


def measured_ceilings(choice: Choice, plan: Plan) -> tuple[Ceilings, ...]:
    """The ceilings of this machine for every placement of the plan.

    Raises:
        SaihError: when a placement has none for the environment of this process.
    """
    environment_id = capture().environment_id
    found = [
        read_ceilings(choice.results_folder, environment_id, placement)
        for placement in _by_placement(plan.points)
    ]
    whole = tuple(ceilings for ceilings in found if ceilings is not None)
    if len(whole) < len(found):
        raise SaihError(
            "the ceilings were measured in another environment than this command ends in: software or "
            "checkout changed meanwhile.",
            "let it rest (no commits, edits or installs), then run the same command again.",
        )
    return whole


def _by_placement(points: Sequence[PlannedPoint]) -> Mapping[Placement, list[Point]]:
    groups: dict[Placement, list[Point]] = {}
    for planned in points:
        groups.setdefault(planned.point.placement, []).append(planned.point)
    return groups
