"""Verdicts of a measured sweep put to the test: here or by a scheduler, then told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from saih.commands.choice import Folders
from saih.commands.following import follow, is_awaited
from saih.commands.lines import stderr_is_live
from saih.commands.progress import Progress, clock
from saih.commands.situation import read_account
from saih.commands.stage import plan_of, stored_sweep
from saih.commands.talk import give, give_json, say
from saih.commands.verify_cost import num_pairs, point_cost_s, verify_s
from saih.domain.errors import UsageError
from saih.domain.point import Point
from saih.domain.quantity import counted
from saih.domain.site import Site
from saih.domain.verification import VerifyPlan
from saih.launch.campaign import run
from saih.launch.edge_testbed import site_variables
from saih.launch.job_run import Options
from saih.launch.lock import sweep_lock
from saih.launch.patience import watchdog_limit_s
from saih.launch.submission import reconcile, submit
from saih.launch.submission_plan import Order
from saih.launch.verify_work import untried
from saih.machine.environment import capture
from saih.planner.packing import pack
from saih.planner.plan import Plan, PlannedPoint
from saih.store.batch_folder import batch_numbers
from saih.store.structure import to_json
from saih.store.sweep_folder import SweepFolder, point_states
from saih.store.verification_file import completed_attempt

_LOCK_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked of ``saih verify``."""

    folder: SweepFolder
    folders: Folders
    plan: VerifyPlan
    asked: tuple[str, ...]
    """Beginnings of ids of points; none for all."""
    is_again: bool
    is_json: bool


def show_cost(request: Request) -> None:
    """Tell which points would be put to the test, and how long that takes. Nothing is written or started."""
    sweep = plan_of(request.folder, request.folders.data)
    chosen = _left(request, _chosen(request, sweep), _since(request))
    whole_s = verify_s(request.plan, [one.point for one in chosen])
    if request.is_json:
        points = [
            {
                "point_id": one.point.point_id,
                "labels": dict(one.labels),
                "pairs": num_pairs(request.plan, one.point),
                "predicted_s": point_cost_s(request.plan, one.point),
            }
            for one in chosen
        ]
        content = {"sweep": request.folder.name, "plan": to_json(request.plan), "points": points}
        give_json("verify-dry-run", {**content, "predicted_s": whole_s})
        return
    for one in chosen:
        pairs = num_pairs(request.plan, one.point)
        cost = clock(point_cost_s(request.plan, one.point))
        give(
            f"{one.point.point_id}  {', '.join(one.labels.values())}: {pairs} pairs of windows, about {cost}"
        )
    give(f"{counted(len(chosen), 'point')} to put to the test: about {clock(whole_s)}")


def verify_here(request: Request, site: Site) -> int:
    """Run the windows on this machine; gives the exit code."""
    sweep = plan_of(request.folder, request.folders.data)
    chosen = _chosen(request, sweep)
    since_utc = _since(request)
    left = _left(request, chosen, since_utc)
    if left:
        say(f"{request.folder.name}: {counted(len(left), 'point')} to put to the test")
        progress = Progress(
            words={one.point.point_id: ", ".join(one.labels.values()) for one in left},
            num_points=len(left),
            is_live=stderr_is_live(),
        )
        points = [one.point for one in left]
        options = Options(
            seed=stored_sweep(request.folder).seed,
            watchdog_s=watchdog_limit_s(point.timing for point in points),
            site=site,
            verify=request.plan,
            verify_since_utc=since_utc,
        )
        with progress.telling():
            environment = capture(site_variables(site))
            run(request.folder, points, request.folders.data, environment, progress.hear, options)
    return _told(request, chosen, since_utc)


def verify_there(request: Request, site: Site, *, is_waiting: bool) -> int:
    """Submit the jobs that run the windows; gives the exit code."""
    folder = request.folder
    sweep = plan_of(folder, request.folders.data)
    chosen = _chosen(request, sweep)
    with sweep_lock(folder.path / "lock", _LOCK_PATIENCE_S, say):
        _submit(request, site, chosen)
    states = point_states(folder, [planned.point.point_id for planned in sweep.points])
    account = read_account(folder, states)
    if any(is_awaited(job) for job in account.jobs):
        if not is_waiting:
            ids = [job.job_id for job in account.live_jobs if job.job_id]
            if request.is_json:
                give_json("verify", {"sweep": folder.name, "jobs": ids, "points": []})
            else:
                give("\n".join(ids))
            return 0
        follow(folder, sweep)
    return _told(request, chosen, "")


def _submit(request: Request, site: Site, chosen: Sequence[PlannedPoint]) -> None:
    """One order for all points that no job works on."""
    folder = request.folder
    reconcile(folder, say)
    states = point_states(folder, [one.point.point_id for one in chosen])
    live = read_account(folder, states, is_fresh=True, is_strict=True).live_points
    since_utc = _since(request)
    left = [one for one in _left(request, chosen, since_utc) if one.point.point_id not in live]
    say(f"{folder.name}: {counted(len(left), 'point')} to put to the test")
    if not left:
        return
    more_s = max(point_cost_s(request.plan, one.point) for one in left)
    batches = pack(left, site, first_number=max(batch_numbers(folder), default=0) + 1, more_s=more_s)
    order = Order(
        site=site,
        batches=tuple(batch.verifying(request.plan, since_utc) for batch in batches),
        data_folder=request.folders.data,
        reports_folder=None,
    )
    submit(folder, order, say)


def _chosen(request: Request, sweep: Plan) -> list[PlannedPoint]:
    """The measured points that are meant.

    Raises:
        UsageError: for an id that no measured point begins with, or where nothing is measured.
    """
    measured = [
        one for one in sweep.points if completed_attempt(request.folder, one.point.point_id) is not None
    ]
    if not measured:
        raise UsageError(
            f"the sweep {request.folder.name} has no completed point to put to the test",
            f"run `saih sweep {request.folder.name}` first.",
        )
    for asked in request.asked:
        if not asked or not any(one.point.point_id.startswith(asked) for one in measured):
            raise UsageError(
                f"no completed point of {request.folder.name} begins with {asked!r}",
                f"`saih status {request.folder.name}` lists them.",
            )
    if not request.asked:
        return measured
    return [one for one in measured if one.point.point_id.startswith(request.asked)]


def _left(request: Request, chosen: Sequence[PlannedPoint], since_utc: str) -> list[PlannedPoint]:
    points: Sequence[Point] = untried(request.folder, [one.point for one in chosen], since_utc)
    ids = {point.point_id for point in points}
    return [one for one in chosen if one.point.point_id in ids]


def _since(request: Request) -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds") if request.is_again else ""


def _told(request: Request, chosen: Sequence[PlannedPoint], since_utc: str) -> int:
    """Tell what came of it; 1 where a point still has no trial."""
    from saih.commands.analysis import analysis_of, exit_code_of

    analysis, damages = analysis_of(request.folder, request.folders.data)
    for damage in damages:
        say(damage)
    ids = {one.point.point_id for one in chosen}
    found = [point for point in analysis.points if point.point.point_id in ids]
    if request.is_json:
        points = [
            {
                "point_id": point.point.point_id,
                "labels": dict(point.labels),
                "verifications": to_json(point.verifications),
            }
            for point in found
        ]
        give_json("verify", {"sweep": request.folder.name, "jobs": [], "points": points})
    else:
        for point in found:
            for one in point.verifications:
                give(f"{', '.join(point.labels.values())}: {one.limit}: {one.statement}")
    missing = _left(request, chosen, since_utc)
    if missing:
        say(f"{counted(len(missing), 'point')} could not be put to the test; the same command tries again")
    return exit_code_of(damages) or (1 if missing else 0)
