"""``saih ceilings``: what this machine can do at best."""

import click

from saih.commands.choice import JSON, Choice, sweep_options
from saih.commands.talk import give, give_json


@click.command("ceilings")
@sweep_options
@click.option(
    "--check",
    "is_check",
    is_flag=True,
    help="Measure a few sizes only, and everything where they left the known curves.",
)
@JSON
def command(choice: Choice, *, is_check: bool, is_json: bool) -> None:
    """Measure what this machine can do at best.

    SWEEP is a YAML file, the name of a sweep with results, or a preset; its placements are measured again,
    and the sweeps of this machine use the new ceilings from then on. With --check that happens only where
    the machine has drifted; records from before then keep the ceilings that they were measured under.
    """
    from saih.commands.ceiling_table import ceilings_text
    from saih.commands.single_task import measured_ceilings, run_task
    from saih.store.structure import to_json

    plan = run_task(choice, "check_ceilings" if is_check else "ceilings")
    measured = measured_ceilings(choice, plan)
    if is_json:
        give_json("ceilings", {"ceilings": to_json(measured)})
    else:
        give("\n\n".join(ceilings_text(ceilings) for ceilings in measured))
