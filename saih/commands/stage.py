"""Where the stages meet: a sweep to its plan, on this machine, at a site, or as it was measured."""

from collections import Counter
from pathlib import Path

from saih.config.definition import restore
from saih.domain.errors import DamagedData, UsageError
from saih.domain.limits import Limits
from saih.domain.quantity import counted
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.machine.memory import disk_free_bytes, meminfo_bytes, memory_limit_bytes
from saih.planner.limits import limits_of
from saih.planner.packing import within_time
from saih.planner.plan import Plan, make_plan
from saih.store.bundle_origin import read_origin
from saih.store.limits_file import read_limits
from saih.store.submission_folder import SubmissionFolder, read_submission, submission_numbers
from saih.store.sweep_folder import SweepFolder, read_definition

_MAX_REASONS = 5


def plan_here(sweep: Sweep, data_folder: Path) -> Plan:
    """The plan of a sweep on this machine."""
    return make_plan(sweep, limits_here(data_folder))


def plan_of(folder: SweepFolder, data_folder: Path) -> Plan:
    """The plan of a folder of results, on the machine that it was measured on."""
    limits = read_limits(folder)
    if limits is None:  # this machine has no say in what another one measured
        limits = limits_here(data_folder) if read_origin(folder) is None else Limits()
    plan = make_plan(stored_sweep(folder), limits)
    site = last_site(folder)
    return plan if site is None else within_time(plan, site)


def last_site(folder: SweepFolder) -> Site | None:
    """The site of the last submission of a sweep that can be read; None when it was never submitted."""
    for number in reversed(submission_numbers(folder)):
        try:
            return read_submission(SubmissionFolder(sweep=folder, number=number)).site
        except (FileNotFoundError, DamagedData):
            continue
    return None


def plan_at(sweep: Sweep, site: Site, data_folder: Path) -> Plan:
    """The plan of a sweep on a system, which may be this machine."""
    if site.scheduler == "local":
        return plan_here(sweep, data_folder)
    return within_time(make_plan(sweep, limits_at(site, data_folder)), site)


def plan_on_paper(sweep: Sweep, site: Site) -> Plan:
    """The plan of a sweep where nothing but the site file says what there is room for."""
    plan = make_plan(sweep, limits_of(site, None))
    return plan if site.scheduler == "local" else within_time(plan, site)


def limits_at(site: Site, data_folder: Path) -> Limits:
    """The room on the nodes of a site, and on the disk of the data folder, which they see too."""
    return limits_of(site, disk_free_bytes(data_folder) + _bytes_below(data_folder))


def limits_here(data_folder: Path) -> Limits:
    """The room on this machine.

    What the machine has counts, not what is free at the moment: the same command gives the same plan.
    """
    known = [size for size in (meminfo_bytes("MemTotal"), memory_limit_bytes()) if size is not None]
    return Limits(
        memory_bytes_per_node=min(known, default=None),
        disk_bytes=disk_free_bytes(data_folder) + _bytes_below(data_folder),
    )


def require_points(sweep: Sweep, plan: Plan) -> None:
    """Refuse a plan without a point, with the reasons.

    Raises:
        UsageError: when no point is left.
    """
    if plan.points:
        return
    reasons = list(dict.fromkeys(dropped.reason for dropped in plan.dropped))
    raise UsageError(
        f"no point of {sweep.name} can run:\n  " + "\n  ".join(reasons[:5]),
        "correct the sweep; `saih plan` shows every point.",
    )


def dropped_words(plan: Plan) -> tuple[str, ...]:
    """Why points of a plan are not measured, a line for each reason; the last says of how many more."""
    reasons = Counter(dropped.reason for dropped in plan.dropped)
    lines = [f"{counted(number, 'point')} dropped: {reason}" for reason, number in reasons.items()]
    more = [f"{len(lines) - _MAX_REASONS} more reasons: see `saih plan`"] if len(lines) > _MAX_REASONS else []
    return (*lines[:_MAX_REASONS], *more)


def stored_sweep(folder: SweepFolder) -> Sweep:
    """The sweep whose results the folder holds."""
    return restore(read_definition(folder), str(folder.path))


def _bytes_below(folder: Path) -> int:
    """What the data folder holds already; files that go away meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
