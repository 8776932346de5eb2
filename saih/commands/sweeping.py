"""A sweep from its plan to its report."""

import shlex
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

from saih.commands.lines import stderr_is_live
from saih.commands.listing import plan_json, plan_text
from saih.commands.outcome import counts, next_command, states_json
from saih.commands.progress import Progress
from saih.commands.selection import read_choice
from saih.commands.situation import read_account
from saih.commands.stage import dropped_words, limits_here, plan_here, require_points
from saih.commands.talk import give, give_json, say
from saih.commands.verify_cost import verify_cost
from saih.commands.wish import Wish, report_path, write_report_of
from saih.config.definition import define
from saih.domain.errors import UsageError
from saih.domain.quantity import counted
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.launch.campaign import run
from saih.launch.edge_testbed import site_variables
from saih.launch.job_run import Options
from saih.launch.patience import watchdog_limit_s
from saih.launch.starter import worker_program
from saih.launch.starter_alone import find_starter
from saih.launch.verify_work import untried
from saih.machine.environment import capture
from saih.planner.duration import predict
from saih.planner.plan import Plan, make_plan
from saih.reports.rung_labels import labels_apart
from saih.store.adaptive_file import forget_adaptive
from saih.store.limits_file import write_limits
from saih.store.point_state import PointState, PointStatus
from saih.store.sweep_folder import SweepFolder, point_states, record_definition


def show(wish: Wish, site: Site) -> None:
    """Tell what would run: points, costs, files and commands. Nothing is written or started."""
    sweep = read_choice(wish.choice)
    plan = plan_here(sweep, wish.choice.data_folder)
    require_points(sweep, plan)
    commands = commands_of(plan, site)
    folder = SweepFolder(wish.choice.results_folder, sweep.name)
    files = {
        "data": str(wish.choice.data_folder),
        "results": str(folder.path),
        "report": str(report_path(wish, sweep.name)),
    }
    if wish.is_json:
        give_json("dry-run", {**plan_json(sweep, plan), "commands": commands, "files": files})
        return
    give(plan_text(sweep, plan))
    if wish.verify is not None:
        give(f"\n{verify_cost(wish.verify, plan)}")
    give("\ncommands, each once for data sets, ceilings and measuring:")
    give("\n".join(f"  {shlex.join(command)}" for command in commands))
    give("\nfiles:\n" + "\n".join(f"  {name}: {path}" for name, path in files.items()))


def sweep(wish: Wish, site: Site) -> int:
    """Measure what is not measured yet on this machine, then report; gives the exit code."""
    asked = read_choice(wish.choice)
    limits = limits_here(wish.choice.data_folder)
    plan = make_plan(asked, limits)
    require_points(asked, plan)
    folder = SweepFolder(wish.choice.results_folder, asked.name)
    refuse_live_jobs(folder, plan)
    commands_of(plan, site)
    record_definition(folder, define(asked))
    write_limits(folder, limits)
    forget_adaptive(folder)
    for note in (*plan.notes, *dropped_words(plan)):
        say(note)
    states = measure(wish, site, asked, plan, folder)
    is_complete = all(state.status is PointStatus.COMPLETED for state in states.values())
    report = write_report_of(wish, folder) if wish.is_reporting else None
    found = counts(plan, states)
    say(f"{asked.name}: " + ", ".join(f"{number} {state}" for state, number in found.items()))
    if not is_complete:
        say(f"next: saih status {asked.name}, then {next_command(folder, states)}")
    if wish.is_json:
        content = {"sweep": asked.name, **states_json(plan, states), "report": report and str(report)}
        give_json("sweep", content)
    elif report is not None:
        give(str(report))
    return 0 if is_complete else 1


def measure(
    wish: Wish, site: Site, asked: Sweep, plan: Plan, folder: SweepFolder
) -> Mapping[str, PointState]:
    """Measure the points of ``plan`` that have no outcome yet; what became of each."""
    points = [planned.point for planned in plan.points]
    states = point_states(folder, [point.point_id for point in points])
    asked_for = {
        point_id
        for point_id, state in states.items()
        if state.is_to_be_measured or (wish.is_retrying and state.status is PointStatus.FAILED)
    }
    if not asked_for and (wish.verify is None or not untried(folder, points)):
        return states
    say(f"{asked.name}: {len(asked_for)} of {len(points)} points to measure")
    progress = _progress(plan, asked_for)
    options = Options(
        seed=asked.seed,
        watchdog_s=watchdog_limit_s([asked.timing]),
        is_retrying_failed=wish.is_retrying,
        site=site,
        verify=wish.verify,
        # Again: somebody may have submitted the same points between the first look and the lock.
        check=partial(refuse_live_jobs, folder, plan),
    )
    environment = capture(site_variables(site))
    with progress.telling():
        result = run(folder, points, wish.choice.data_folder, environment, progress.hear, options)
    return result.states


def _progress(plan: Plan, asked_for: Collection[str]) -> Progress:
    """Tells of these points, in words as short as still tells them apart."""
    known = [planned.labels for planned in plan.points]
    shorter, _ = labels_apart(known, known)
    return Progress(
        words={
            planned.point.point_id: ", ".join(labels.values())
            for planned, labels in zip(plan.points, shorter, strict=True)
        },
        num_points=len(asked_for),
        is_live=stderr_is_live(),
        predicted_s={
            planned.point.point_id: predict(planned.point, planned.cost)
            for planned in plan.points
            if planned.point.point_id in asked_for
        },
    )


def refuse_live_jobs(folder: SweepFolder, plan: Plan) -> None:
    """Leave the points alone that a scheduler's job may work on."""
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    live = read_account(folder, states, is_strict=True).live_points
    left = [job for point_id, job in live.items() if states[point_id].is_to_be_measured]
    if left:
        raise UsageError(
            f"{counted(len(left), 'point')} of {folder.name} may be worked on by a job of a scheduler: "
            f"{left[0].words}",
            f"wait for it (`saih status {folder.name}`), or end it (`saih cancel {folder.name}`).",
        )


def commands_of(plan: Plan, site: Site) -> list[list[str]]:
    """The command of every placement; also the check that this machine can start each."""
    starter = find_starter(plan.placements, site)
    program = worker_program(site, "saih.worker", Path("JOB.json"))
    return [list(starter.start(placement, program).command) for placement in plan.placements]
