"""``saih sweep``: measure, analyze, report; the same command again continues."""

from pathlib import Path

import click

from saih.commands.choice import JSON, REPORTS, SCHEDULER, SITE, Choice, sweep_options
from saih.domain.site import SchedulerName


@click.command("sweep")
@sweep_options
@REPORTS
@SITE
@SCHEDULER
@click.option("--wait", "is_waiting", is_flag=True, help="Follow the submitted jobs to their end.")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would run; write and start nothing.")
@click.option("--adaptive", "is_adaptive", is_flag=True, help="Measure only the points that are needed.")
@click.option("--precision", metavar="PERCENT", help="With --adaptive: half-width to reach (10%).")
@click.option("--budget", metavar="TIME", help="With --adaptive: such as '2 node-hours' or '30 min'.")
@click.option("--no-report", "is_silent", is_flag=True, help="Measure only.")
@click.option("--verify", "is_verifying", is_flag=True, help="Then put every verdict to the test.")
@click.option("--retry-failed", "is_retrying", is_flag=True, help="Measure failed points again.")
@JSON
def command(  # noqa: PLR0913 - one parameter for each option
    choice: Choice,
    reports: Path,
    site: str | None,
    scheduler: SchedulerName | None,
    precision: str | None,
    budget: str | None,
    *,
    is_waiting: bool,
    is_dry: bool,
    is_adaptive: bool,
    is_silent: bool,
    is_verifying: bool,
    is_retrying: bool,
    is_json: bool,
) -> int:
    """Measure a sweep, analyze it and write its report.

    SWEEP is a YAML file, the name of a sweep with results, or a preset (laptop, node, cluster). Points
    that have a result are not measured again. Here, the last line on stdout is the path of the report.
    With a site file that names a scheduler, jobs are submitted and the command returns; the same command
    again submits what is missing and not under way. With --adaptive, points of the grid are chosen one
    after the other until every step is known within the asked precision.
    """
    from saih.commands.selection import read_choice
    from saih.commands.system import Where, system_of
    from saih.commands.wish import Wish
    from saih.domain.verification import FULL
    from saih.store.bundle_origin import require_measured_here
    from saih.store.sweep_folder import SweepFolder

    wish = Wish(
        choice=choice,
        reports_folder=reports,
        is_reporting=not is_silent,
        is_retrying=is_retrying,
        is_json=is_json,
        verify=FULL if is_verifying else None,
    )
    asked = read_choice(choice)
    folder = SweepFolder(choice.results_folder, asked.name)
    require_measured_here(folder)
    system = system_of(Where(site=site, scheduler=scheduler), asked, folder)
    if is_adaptive or precision is not None or budget is not None:
        from saih.commands.adaptive_asking import Request, adaptive_sweep

        request = Request(
            precision=precision,
            budget=budget,
            is_adaptive=is_adaptive,
            is_dry=is_dry,
            is_verifying=is_verifying,
        )
        return adaptive_sweep(wish, system, request)
    if system.scheduler == "local":
        from saih.commands.sweeping import show, sweep

        if is_dry:
            show(wish, system)
            return 0
        return sweep(wish, system)
    from saih.commands.submitting import show_submission, submit_sweep

    if is_dry:
        show_submission(wish, system)
        return 0
    return submit_sweep(wish, system, is_waiting=is_waiting)
