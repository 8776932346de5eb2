"""One task of a campaign by itself: making data sets, or measuring ceilings."""

from collections.abc import Mapping
from typing import Literal

from saih.commands.choice import Choice
from saih.commands.lines import stderr_is_live
from saih.commands.progress import Progress
from saih.commands.selection import read_choice
from saih.commands.stage import plan_here, require_points
from saih.commands.talk import say
from saih.config.definition import define
from saih.domain.ceiling import Ceilings
from saih.domain.errors import SaihError
from saih.domain.point import Placement, Point
from saih.launch.interruption import interruption
from saih.launch.job_run import Options, Surroundings, require_done, run_job
from saih.launch.lock import sweep_lock
from saih.launch.mpirun import LocalMpirun, find_launcher
from saih.machine.environment import capture
from saih.planner.plan import Plan
from saih.store.ceilings_file import read_ceilings
from saih.store.sweep_folder import SweepFolder, record_definition


def run_task(choice: Choice, task: Literal["generate", "ceilings", "check_ceilings"]) -> Plan:
    """Do the task for every placement of the chosen sweep; gives its plan."""
    asked = read_choice(choice)
    plan = plan_here(asked, choice.data_folder)
    require_points(asked, plan)
    folder = SweepFolder(choice.results_folder, asked.name)
    launcher = find_launcher()
    record_definition(folder, define(asked))
    progress = Progress(words={}, num_points=len(plan.points), is_live=stderr_is_live())
    options = Options(seed=asked.seed)
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
            starter=LocalMpirun(launcher=launcher),
            overseer=asked_to_stop,
            lock=lock,
        )
        with progress.telling():
            for placement, points in _by_placement(plan).items():
                require_done(run_job(around, task, placement, points))
    return plan


def measured_ceilings(choice: Choice, plan: Plan) -> tuple[Ceilings, ...]:
    """The ceilings of this machine for every placement of the plan.

    Raises:
        SaihError: when a placement has none for the environment of this process.
    """
    environment_id = capture().environment_id
    found = [
        read_ceilings(choice.results_folder, environment_id, placement) for placement in _by_placement(plan)
    ]
    whole = tuple(ceilings for ceilings in found if ceilings is not None)
    if len(whole) < len(found):
        raise SaihError(
            "the ceilings were measured in another environment than this command ends in: software or "
            "checkout changed meanwhile.",
            "let it rest (no commits, edits or installs), then run the same command again.",
        )
    return whole


def _by_placement(plan: Plan) -> Mapping[Placement, list[Point]]:
    groups: dict[Placement, list[Point]] = {}
    for planned in plan.points:
        groups.setdefault(planned.point.placement, []).append(planned.point)
    return groups
