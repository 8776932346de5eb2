"""Sweeps of one system over time, for ``saih compare --history``."""

from collections.abc import Sequence
from pathlib import Path

from saih.analyzer.history import history
from saih.commands.analysis import exit_code_of
from saih.commands.choice import Folders
from saih.commands.comparing import damages_of, file_name, report_path, require_own_records, sides_of
from saih.commands.table import table
from saih.commands.talk import give, give_json, say
from saih.domain.history import History
from saih.reports.analysis_json import history_as_json
from saih.reports.claims_file import encode
from saih.reports.document import write
from saih.reports.history_report import history_document, history_file
from saih.reports.history_words import history_claims, moment_words, series_name, series_words, without_shared
from saih.reports.html_report import write_comparison_html


def tell_history(words: Sequence[str], folders: Folders, output: Path | None, *, is_json: bool) -> int:
    """Find what changed over these sweeps, tell it, and write its report.

    Raises:
        UsageError: for fewer than two sweeps with points, or two that hold the same records.
    """
    sides = sides_of(words, folders.results, folders.data)
    require_own_records([folder for side in sides for folder in side.folders])
    found = history([side.system for side in sides])
    document = history_document(found)
    claims_json = encode(history_file(found, document))
    path = output or report_path(sides, folders.reports).with_stem(f"history-of-{file_name(sides[0])}")
    html = write_comparison_html(document, claims_json, path.with_suffix(".html"))
    paths = {"html": str(html), "pdf": str(write(document, path, claims_json))}
    damages = damages_of(sides)
    for damage in damages:
        say(damage)
    if is_json:
        told = {"report": paths["pdf"], "reports": paths, "damages": list(damages)}
        give_json("history", {**history_as_json(found), **told})
    else:
        give(history_text(found))
        give("\n".join(paths.values()))
    return exit_code_of(damages)


def history_text(found: History) -> str:
    """Runs, changes of each point, and the findings."""
    found = without_shared(found)
    runs = [
        (str(number), run.name, moment_words(run.measured_utc))
        for number, run in enumerate(found.runs, start=1)
    ]
    points = [(series_name(one), series_words(one)) for one in (found.overall, *found.points)]
    said = "\n".join(f"  {claim.text}" for claim in history_claims(found))
    parts = (
        table(("no.", "run", "measured"), runs),
        table(("point", "changes"), points),
        f"findings:\n{said}",
    )
    return "\n\n".join(parts)
