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
@click.option(
    "--on-paper",
    "is_on_paper",
    is_flag=True,
    help="Ask no disk and no memory of this machine: only what the site file says limits the plan.",
)
@JSON
def command(
    choice: Choice, site: str | None, scheduler: SchedulerName | None, *, is_on_paper: bool, is_json: bool
) -> None:
    """Show what a sweep would run, with costs.

    SWEEP is a YAML file, the name of a sweep with results, or a preset (laptop, node, cluster, ...). Nothing
    is started or written. With a site file: node-hours, jobs, files and energy too. Times are predicted by
    ceilings that were measured on this machine, or on the one system besides, where there are some.
    """
    from saih.commands.known_ceilings import known_ceilings
    from saih.commands.listing import anywhere, plan_json, plan_text
    from saih.commands.selection import read_choice
    from saih.commands.stage import plan_at, plan_on_paper, require_points
    from saih.commands.system import Where, system_of

    sweep = read_choice(choice)
    system = system_of(Where(site=site, scheduler=scheduler), sweep)
    plan = plan_on_paper(sweep, system) if is_on_paper else plan_at(sweep, system, choice.data_folder)
    here = system.scheduler == "local"
    known = anywhere(sweep, system.power_w_per_node) if here else system
    ceilings = known_ceilings(choice.results_folder, plan.placements, is_here=here)
    if not is_json:
        give(plan_text(sweep, plan, known, stdout_width(), ceilings))
    require_points(sweep, plan)
    if is_json:
        give_json("plan", plan_json(sweep, plan, known, ceilings))
