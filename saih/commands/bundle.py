"""``saih bundle``: the records of a sweep as one file for another site."""

from pathlib import Path

import click

from saih.commands.choice import JSON, RESULTS
from saih.commands.talk import give, give_json, say


@click.command("bundle")
@click.argument("name")
@RESULTS
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; else NAME.saih.zip in this folder.",
)
@click.option(
    "--anonymise",
    "is_anonymised",
    is_flag=True,
    help="Replace names of hosts, users, paths and jobs by pseudonyms.",
)
@click.option("--license", "license_text", default="", help="URL or SPDX identifier, such as CC-BY-4.0.")
@click.option("--author", default="", help="Who publishes the bundle.")
@JSON
def command(  # noqa: PLR0913 - one parameter for each option
    name: str,
    results: Path,
    output: Path | None,
    license_text: str,
    author: str,
    *,
    is_anonymised: bool,
    is_json: bool,
) -> None:
    """Write the records of a sweep as one file for another site.

    NAME is a sweep with results, or the path of its folder. Only records and what they were measured under
    are in the file: no logs, job scripts or submissions. Another site imports, verifies and compares it.
    Prints its path; the fingerprint is on stderr.
    """
    from saih.commands.bundling import bundle
    from saih.commands.selection import find_folder
    from saih.domain.bundle import UNVERIFIED, Credit
    from saih.domain.quantity import counted

    folder = find_folder(name, results)
    path, verified = bundle(
        folder, output, Credit(license=license_text, author=author), is_anonymised=is_anonymised
    )
    if is_json:
        from saih.commands.bundling import bundle_json

        give_json("bundle", {"sweep": folder.name, "bundle": str(path), **bundle_json(verified)})
        return
    about = verified.about
    anonymised = ", anonymised" if about.is_anonymised else ""
    counts = f"{counted(about.num_points, 'point')}, {counted(about.num_attempts, 'attempt')}"
    say(f"{folder.name}: {counts}{anonymised}")
    say(f"fingerprint: {verified.fingerprint}")
    say(f"It is an {UNVERIFIED}.")
    give(str(path))
