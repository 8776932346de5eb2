"""``saih compare``: systems on their matched points."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import failure, give, give_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saih.commands.comparing import Side
    from saih.domain.comparison import Comparison
    from saih.domain.system import Price


def _finite(_ctx: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Refuse nan, which no range excludes and every comparison passes, and inf."""
    if value is None or math.isfinite(value):
        return value
    raise click.BadParameter(f"{value} is not a number above 0.")


@click.command("compare")
@click.argument("systems", nargs=-1, required=True, metavar="A B ...")
@folder_options
@click.option(
    "--min-ratio",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="Fail with 5 unless the mean speed of A is at least this many times that of each other.",
)
@click.option(
    "--match",
    type=click.Choice(("placement", "nodes")),
    default="placement",
    show_default=True,
    help="Hold equal placements against each other, or equal numbers of nodes, each used at its best.",
)
@click.option(
    "--noise",
    type=click.FloatRange(min=0, max=1, min_open=True),
    callback=_finite,
    help="Standard deviation of the rate between two runs of one point, such as 0.02, where it is known.",
)
@click.option(
    "--price", "prices", multiple=True, metavar="SYSTEM=PRICE", help="Price of a node-hour; may be repeated."
)
@click.option("--currency", default="", metavar="NAME", help="Of all prices.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the PDF here, and the HTML beside it.",
)
@click.option("--history", is_flag=True, help="Take the sweeps for one system over time; find what changed.")
@JSON
def command(systems: tuple[str, ...], folders: Folders, *, is_json: bool, **options: Any) -> int:
    """Compare two or more systems on matched points, or one over time.

    A and B are sweeps with results, or paths of their folders. NAME=SWEEP gives a system another name, and
    NAME=SWEEP,SWEEP,... takes several sweeps of one system as repeats, which tell how far runs differ.
    NAME=mlperf:FOLDER takes the public MLPerf HPC CosmoFlow logs below a folder; where these do not tell
    it, write NAME=mlperf:FOLDER,nodes=16,gpus=8,precision=bfloat16 (gpus: those of a node).
    Prints tables and the paths of the reports. Ends with 4 if a record does not verify.
    """
    from saih.commands.comparing import Terms, compare_sides, report_path, sides_of
    from saih.domain.comparison import Matching
    from saih.domain.errors import UsageError

    if len(systems) < 2:
        raise UsageError("one sweep cannot be compared", "name two or more.")
    if options["history"]:
        from saih.commands.history import tell_history

        return tell_history(systems, folders, options["output"], is_json=is_json)
    sides = sides_of(systems, folders.results, folders.data)
    terms = Terms(
        matching=Matching(options["match"]),
        noise=options["noise"],
        prices=_prices(options["prices"], options["currency"]),
    )
    comparison = compare_sides(sides, terms)
    path = options["output"] or report_path(sides, folders.reports)
    return _tell(comparison, sides, path, options["min_ratio"], is_json=is_json)


def _prices(words: tuple[str, ...], currency: str) -> "dict[str, Price]":
    """Prices by the name of their system, which may hold ``=`` itself."""
    from saih.domain.errors import UsageError
    from saih.domain.system import Price

    found = {}
    for word in words:
        name, _, number = word.rpartition("=")
        try:
            found[name] = Price(per_node_hour=float(number), currency=currency)
        except ValueError as error:
            raise UsageError(
                f"--price {word!r} is not SYSTEM=PRICE", "give the price of a node-hour, such as A=12.5."
            ) from error
    return found


def _tell(
    comparison: "Comparison",
    sides: "Sequence[Side]",
    path: Path,
    min_ratio: float | None,
    *,
    is_json: bool,
) -> int:
    from saih.commands.analysis import exit_code_of
    from saih.commands.comparing import damages_of, require_ratio, write_reports
    from saih.commands.findings import comparison_text
    from saih.domain.errors import GateFailed
    from saih.reports.analysis_json import comparison_as_json

    damages = damages_of(sides)
    for damage in damages:
        say(damage)
    paths = {kind: str(written) for kind, written in write_reports(comparison, sides, path).items()}
    if not is_json:
        give(comparison_text(comparison))
        give("\n".join(paths.values()))
        require_ratio(comparison, min_ratio)
        return exit_code_of(damages)
    told = {"report": paths["pdf"], "reports": paths, "damages": list(damages)}
    give_json("comparison", {**comparison_as_json(comparison), **told})
    try:
        require_ratio(comparison, min_ratio)
    except GateFailed as error:  # stdout has its document already
        failure(error, is_json=False)
        return error.exit_code
    return exit_code_of(damages)
