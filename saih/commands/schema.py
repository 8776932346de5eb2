"""``saih schema``: the JSON Schema of sweep files."""

import json

import click

from saih.commands.talk import give


@click.command("schema")
@click.option("--json", "is_json", is_flag=True, hidden=True, help="It is JSON already.")
def command(*, is_json: bool) -> None:
    """Print the JSON Schema of sweep files.

    For editors: save it as sweep.schema.json and put
    `# yaml-language-server: $schema=sweep.schema.json` on the first line of a sweep file.
    """
    from saih.config.json_schema import sweep_json_schema

    give(json.dumps(sweep_json_schema(), indent=2))
