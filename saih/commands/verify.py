"""``saih verify``: verdicts of a measured sweep put to the test."""

import click

from saih.commands.choice import JSON, SCHEDULER, SITE, Folders, folder_options
from saih.domain.site import SchedulerName


@click.command("verify")
@click.argument("name")
@click.option("--point", "asked", metavar="ID", multiple=True, help="Only this point; may be repeated.")
@click.option("--quick", "is_quick", is_flag=True, help="Short windows: cheaper, and less is decided.")
@click.option("--pairs", type=click.IntRange(7, 200), help="Pairs of windows of each intervention.")
@click.option("--again", "is_again", is_flag=True, help="Also points that were put to the test already.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what it would cost; write and start nothing.")
@click.option("--wait", "is_waiting", is_flag=True, help="Follow the submitted jobs to their end.")
@folder_options
@SITE
@SCHEDULER
@JSON
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    asked: tuple[str, ...],
    folders: Folders,
    pairs: int | None,
    site: str | None,
    scheduler: SchedulerName | None,
    *,
    is_quick: bool,
    is_again: bool,
    is_dry: bool,
    is_waiting: bool,
    is_json: bool,
) -> int:
    """Put verdicts to the test by switching their causes on and off.

    NAME is the sweep, or the path of its folder. Each point runs again, in windows without and with its
    input, its exchange and added loads; a verdict counts as verified only if the step moves as predicted.
    Points that were put to the test are not run again; what is measured stays as it is.
    """
    from saih.commands.selection import find_folder
    from saih.commands.stage import stored_sweep
    from saih.commands.system import Where, system_of
    from saih.commands.verifying import Request, show_cost, verify_here, verify_there
    from saih.domain.verification import FULL, QUICK
    from saih.store.bundle_origin import require_measured_here

    folder = find_folder(name, folders.results)
    require_measured_here(folder)
    request = Request(
        folder=folder,
        folders=folders,
        plan=(QUICK if is_quick else FULL).with_pairs(pairs),
        asked=asked,
        is_again=is_again,
        is_json=is_json,
    )
    if is_dry:
        show_cost(request)
        return 0
    system = system_of(Where(site=site, scheduler=scheduler), stored_sweep(folder), folder)
    if system.scheduler == "local":
        return verify_here(request, system)
    return verify_there(request, system, is_waiting=is_waiting)
