"""``saih what-if``: how long steps would take if something were otherwise."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.lines import stdout_width
from saih.commands.talk import give, give_json, say


@click.command("what-if", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("changes", nargs=-1, metavar="CHANGE...")
@folder_options
@JSON
def command(name: str, changes: tuple[str, ...], folders: Folders, *, is_json: bool) -> int:
    """Predict steps if something were faster, gone or larger.

    NAME is a sweep with results, or the path of its folder. A CHANGE is such as "interconnect x2",
    "input removed", "compute x1.5", "4x ranks" or "data 64^3->128^3"; several hold at the same time.
    Ends with 1 if nothing can be predicted, with 4 if a record does not verify.
    """
    from saih.commands.analysis import analysis_of, exit_code_of
    from saih.commands.selection import find_folder
    from saih.commands.what_if_foreseeing import foresee
    from saih.commands.what_if_grammar import scenario_of
    from saih.reports.what_if_json import what_if_as_json
    from saih.reports.what_if_text import what_if_text

    scenario = scenario_of(changes)
    folder = find_folder(name, folders.results)
    analysis, damages = analysis_of(folder, folders.data)
    found = foresee(folder, analysis, scenario)
    is_any = any(forecast.predicted_ns is not None for forecast in found.forecasts)
    exit_code = exit_code_of(damages) or (0 if is_any else 1)
    if is_json:
        give_json("what-if", {**what_if_as_json(found), "damages": list(damages)})
        return exit_code
    give(what_if_text(found, stdout_width()))
    for damage in damages:
        say(damage)
    return exit_code
