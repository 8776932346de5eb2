"""``saih plan``: what a sweep would run, with costs."""

import click

from saih.commands.choice import JSON, SCHEDULER, SITE, Choice, sweep_options
from saih.commands.lines import stdout_width
from saih.commands.talk import give, give_json
from saih.domain.site import SchedulerName


@click.command("plan")
@sweep_options
@SITE
@SCHEDULER
@JSON
def command(choice: Choice, site: str | None, scheduler: SchedulerName | None, *, is_json: bool) -> None:
    """Show what a sweep would run, with costs.

    SWEEP is a YAML file, the name of a sweep with results, or a preset (laptop, node, cluster). Nothing
    is started or written. With a site file: node-hours, jobs and files too.
    """
    from saih.commands.listing import plan_json, plan_text
    from saih.commands.selection import read_choice
    from saih.commands.stage import plan_at, require_points
    from saih.commands.system import Where, system_of

    sweep = read_choice(choice)
    system = system_of(Where(site=site, scheduler=scheduler), sweep)
    plan = plan_at(sweep, system, choice.data_folder)
    known = None if system.scheduler == "local" else system
    if not is_json:
        give(plan_text(sweep, plan, known, stdout_width()))
    require_points(sweep, plan)
    if is_json:
        give_json("plan", plan_json(sweep, plan, known))
