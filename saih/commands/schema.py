"""``saih schema``: the JSON Schema of sweep files, or of site files."""

import json

import click

from saih.commands.talk import give


@click.command("schema")
@click.option("--site", "is_site", is_flag=True, help="Of site files instead.")
@click.option("--json", "is_json", is_flag=True, help="Changes nothing: it is JSON already.")
def command(*, is_site: bool, is_json: bool) -> None:
    """Print the JSON Schema of sweep files.

    For editors: save it as sweep.schema.json and put
    `# yaml-language-server: $schema=sweep.schema.json` on the first line of a sweep file; likewise
    for site files.
    """
    from saih.config.json_schema import sweep_json_schema
    from saih.config.site_file import site_json_schema

    give(json.dumps(site_json_schema() if is_site else sweep_json_schema(), indent=2))
