"""Verdicts put to the test, in lines for terminals: the sentence of each, and one count of all."""

from collections import Counter
from collections.abc import Sequence

from saih.domain.quantity import counted
from saih.domain.trend import Analysis, PointSummary
from saih.domain.verification import Verification
from saih.reports.terminal_text import wrapped

_MOST_POINTS = 40


def verification_lines(analysis: Analysis, width: int) -> list[str]:
    """What putting the verdicts to the test gave, point by point; nothing where none was."""
    tested = [point for point in analysis.points if point.verifications]
    if not tested:
        return []
    lines = wrapped(f"Verdicts put to the test: {counts_of(tested)}", width)
    for point in tested[:_MOST_POINTS]:
        lines += wrapped(f"{', '.join(point.labels.values())}:", width, rest="  ")
        lines += [line for one in point.verifications for line in _lines(one, width)]
    if len(tested) > _MOST_POINTS:
        lines.append(f"  and {counted(len(tested) - _MOST_POINTS, 'point')} more: `saih analyze --json`")
    return lines


def point_verification_lines(summary: PointSummary, width: int) -> list[str]:
    """The same of one point."""
    if not summary.verifications:
        return []
    return ["Put to the test", *(line for one in summary.verifications for line in _lines(one, width))]


def counts_of(points: Sequence[PointSummary]) -> str:
    """Such as ``2 verified, 1 undecided, of 3 points`` by the verdict of each point."""
    found = Counter(point.verifications[0].status for point in points if point.verifications)
    words = ", ".join(f"{number} {status}" for status, number in found.most_common())
    return f"{words}, of {counted(sum(found.values()), 'point')}"


def _lines(one: Verification, width: int) -> list[str]:
    return wrapped(f"  {one.limit}: {one.statement}", width, rest="    ")
