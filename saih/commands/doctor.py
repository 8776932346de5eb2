"""``saih doctor``: whether this machine has what a sweep needs."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("doctor")
@folder_options
@JSON
def command(folders: Folders, *, is_json: bool) -> int:
    """Check that this machine has what a sweep needs.

    Starts two MPI ranks for a moment. Ends with 3 if something needed is missing.
    """
    from saih.commands.examination import examine, findings_json, findings_text
    from saih.domain.errors import EnvironmentMissing

    findings = examine(folders)
    is_fit = all(finding.is_fine or not finding.is_needed for finding in findings)
    if is_json:
        give_json("doctor", {"is_fit": is_fit, "checks": findings_json(findings)})
    else:
        give(findings_text(findings))
        say("ready: `saih sweep`" if is_fit else "something needed is missing; see above")
    return 0 if is_fit else EnvironmentMissing.exit_code
