"""``saih doctor``: whether this machine has what a sweep needs."""

import os

import click

from saih.commands.choice import JSON, SITE, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("doctor")
@folder_options
@SITE
@JSON
def command(folders: Folders, site: str | None, *, is_json: bool) -> int:
    """Check that this machine has what a sweep needs.

    Starts two MPI ranks for a moment. With a site file: whether jobs can be submitted there, without
    submitting one. Ends with 3 if something needed is missing.
    """
    from saih.commands.examination import examine, findings_json, findings_text
    from saih.commands.site_examination import examine_site
    from saih.config.site_file import find_site
    from saih.domain.errors import EnvironmentMissing

    system = find_site(site, os.environ)
    cluster = system if system is not None and system.scheduler != "local" else None
    findings = examine_site(cluster, folders) if cluster else examine(folders)
    is_fit = all(finding.is_fine or not finding.is_needed for finding in findings)
    if is_json:
        give_json("doctor", {"is_fit": is_fit, "checks": findings_json(findings)})
    else:
        give(findings_text(findings))
        ready = "ready: `saih sweep`" + (f" --site {site or '$SAIH_SITE'}" if cluster else "")
        say(ready if is_fit else "something needed is missing; see above")
    return 0 if is_fit else EnvironmentMissing.exit_code
