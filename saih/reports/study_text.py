"""What studies found, in lines for a terminal."""

from collections.abc import Sequence

from saih.domain.study import Findings, Search, Validation
from saih.domain.trend import Analysis, PointSummary
from saih.reports.study_words import (
    counts_words,
    failure_claims,
    marks_claim,
    rung_cells,
    search_claim,
    search_notes,
    studied,
)
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import wrapped

_MOST_FAILURES = 8
_RUNG_TITLES = ("training cost", "model", "loss", "seeds", "settings", "begun from", "front")


def validation_lines(labelled: Sequence[tuple[str, Validation]], width: int) -> list[str]:
    """Every gate of every problem."""
    lines: list[str] = []
    for label, validation in labelled:
        findings = validation.findings
        lines += ["", *wrapped(f"{label}: {findings.verdict.upper()}: {counts_words(findings)}", width)]
        lines += wrapped(f"studied: {findings.subject}", width, "  ", "    ")
        lines += _gate_lines(findings, width)
    return lines[1:]


def search_lines(search: Search, width: int) -> list[str]:
    """The ladder of models that learn best, and what it rests on."""
    frontier = search.frontier
    lines = wrapped(search_claim(search).text, width)
    lines += [line for note in search_notes(search) for line in wrapped(note, width, "- ", "  ")]
    lines += ["", *table_lines(_RUNG_TITLES, [rung_cells(rung) for rung in frontier.rungs], width=width)]
    if frontier.deepened:
        rows = [rung_cells(rung) for rung in frontier.deepened]
        lines += [
            "",
            "Only deepened, without residual branches",
            *table_lines(_RUNG_TITLES, rows, width=width),
        ]
    return lines


def study_lines(analysis: Analysis, width: int) -> list[str]:
    """In brief: how many points pose problems worth learning, what failed, and what a search found."""
    claim = marks_claim(analysis)
    if claim is None or not (studied(analysis.points) or analysis.search):
        return []
    lines = ["Worth learning", *wrapped(claim.text, width, "- ", "  ")]
    failures = failure_claims(analysis, _MOST_FAILURES)
    lines += [line for failed in failures for line in wrapped(failed.text, width, "- ", "  ")]
    if analysis.search is not None:
        lines += wrapped(search_claim(analysis.search).text, width, "- ", "  ")
    return lines


def point_study_lines(summary: PointSummary, width: int) -> list[str]:
    """Every gate of one point's problem; nothing where nobody looked."""
    if summary.validation is None:
        return []
    findings = summary.validation.findings
    lines = wrapped(f"Worth learning: {findings.verdict}: {counts_words(findings)}", width, rest="  ")
    lines += wrapped(f"studied: {findings.subject}", width, "  ", "    ")
    return [*lines, *_gate_lines(findings, width)]


def _gate_lines(findings: Findings, width: int) -> list[str]:
    return [
        line
        for gate in findings.gates
        for line in wrapped(
            f"{gate.name} {gate.title}: {gate.verdict}: {gate.statement} ({gate.duration_s:.1f} s)",
            width,
            "  ",
            "     ",
        )
    ]
