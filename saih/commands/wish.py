"""What the user asked of ``saih sweep``, and the report that it ends with."""

from dataclasses import dataclass
from pathlib import Path

from saih.commands.choice import Choice
from saih.commands.lines import stdout_width
from saih.commands.talk import give, say
from saih.domain.verification import VerifyPlan
from saih.store.sweep_folder import SweepFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked of ``saih sweep``."""

    choice: Choice
    reports_folder: Path
    is_reporting: bool
    is_retrying: bool
    is_json: bool
    verify: VerifyPlan | None = None
    """How to put verdicts to the test behind the measuring; None: not at all."""


def write_report_of(wish: Wish, folder: SweepFolder) -> Path:
    """Analyze what was measured, tell it, and write the reports; gives the path of the PDF."""
    from saih.commands.analysis import analysis_of
    from saih.commands.reporting import write_reports
    from saih.reports.terminal_analysis import analysis_text

    analysis, damages = analysis_of(folder, wish.choice.data_folder)
    for damage in damages:
        say(damage)
    if not wish.is_json:
        give(analysis_text(analysis, stdout_width()))
    paths = write_reports(folder, analysis, wish.reports_folder, ("html", "pdf"))
    if not wish.is_json:
        give(str(paths["html"]))
    return paths["pdf"]


def report_path(wish: Wish, name: str) -> Path:
    """Where the report of a sweep is written."""
    return wish.reports_folder / f"{name}.pdf"
