"""Cautions: how far the numbers may be trusted, and what must not be concluded from them."""

from collections import Counter
from collections.abc import Sequence

from saih.domain.quantity import counted, percent
from saih.domain.trend import Analysis, Limit, PointSummary, Trend
from saih.reports.label import shortened
from saih.reports.words import outcome_words

_FEW_STEPS = 10
_FEW_POINTS = 5
_MOST_WARNINGS = 3


def confidence(analysis: Analysis) -> tuple[str, ...]:
    """Sentences on how well the numbers are known, then the first of the analyzer's own warnings."""
    sentences = [f"{outcome_words(analysis)}.", *_widths(analysis.points), *_losses(analysis.points)]
    return (*sentences, *_checks(analysis.trends), *first_warnings(analysis.warnings))


def cautions(analysis: Analysis) -> tuple[str, ...]:
    """What a reader must not conclude from this sweep."""
    return (
        *_always(),
        *_from_points(analysis.points),
        *_from_trends(analysis.trends),
        *(f"Warned by the analysis: {warning}" for warning in analysis.warnings),
    )


def first_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    """As many warnings as a summary has room for, and how many more there are."""
    first = tuple(shortened(warning, 200) for warning in warnings[:_MOST_WARNINGS])
    num_left = len(warnings) - len(first)
    return (*first, f"{counted(num_left, 'more warning')} at the end of the report.") if num_left else first


def _widths(points: Sequence[PointSummary]) -> list[str]:
    if not points:
        return []
    widths = sorted(point.step_ns.relative_width for point in points)
    counts = sorted(point.step_ns.count for point in points)
    reached = sum(point.step_ns.relative_width <= point.point.timing.relative_width for point in points)
    width = _between(percent(widths[0]), percent(widths[-1]))
    steps = _between(str(counts[0]), str(counts[-1]))
    return [
        (
            f"The {percent(points[0].step_ns.level)} interval of the median step is {width} wide, from "
            f"{steps} steps for each point; {reached} of {counted(len(points), 'point')} reached the asked "
            "width."
        )
    ]


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _losses(points: Sequence[PointSummary]) -> list[str]:
    still = sum(not point.loss.is_learning for point in points)
    if not still:
        return []
    return [f"The loss did not fall at {still} of {counted(len(points), 'point')}; see the table of points."]


def _checks(trends: Sequence[Trend]) -> list[str]:
    checks = [check for trend in trends for check in trend.checks]
    if not checks:
        return []
    counts = Counter(check.passed for check in checks)
    failed = list(dict.fromkeys(check.statement for check in checks if check.passed is False))
    said = f"Checks of the trends: {counts[True]} passed, {counts[False]} failed, {counts[None]} undecided."
    return [said, *failed[:2]]


def _always() -> list[str]:
    return [
        (
            "Do not carry a number to another environment, placement, batch or precision: nothing here was "
            "measured there."
        ),
        (
            "Do not read a verdict as proven by experiment unless its evidence says that the accused "
            "resource was taken away: it rests on measured phases and ceilings."
        ),
        (
            "Do not read input times as those of a cold file system: files read again may come from the page "
            "cache of the node."
        ),
        "Do not read the loss as accuracy: the runs are as long as timing needs, not as training needs.",
    ]


def _from_points(points: Sequence[PointSummary]) -> list[str]:
    sentences = []
    few = sum(point.step_ns.count < _FEW_STEPS for point in points)
    if few:
        sentences.append(
            f"{counted(few, 'point')} rest on fewer than {_FEW_STEPS} steps: treat them as rough."
        )
    unknown = sum(point.share_of_peak is None for point in points)
    if unknown:
        sentences.append(
            f"{counted(unknown, 'point')} have no measured ceiling: their rates must not be read as good or "
            "bad use of the machine."
        )
    silent = sum(point.diagnosis.limit in (Limit.UNEXPLAINED, Limit.MIXED) for point in points)
    if silent:
        sentences.append(f"{counted(silent, 'point')} have no single cause: do not tune for one.")
    return sentences


def _from_trends(trends: Sequence[Trend]) -> list[str]:
    sentences = []
    lawless = sum(trend.total is None for trend in trends)
    if lawless:
        sentences.append(
            f"{counted(lawless, 'trend')} have too few points for a law: nothing is said beyond them."
        )
    thin = sum(trend.total is not None and len(trend.sizes) < _FEW_POINTS for trend in trends)
    if thin:
        sentences.append(
            f"{counted(thin, 'trend')} rest on fewer than {_FEW_POINTS} points: a change of regime between "
            "or beyond them would not be seen."
        )
    if any(point.is_extrapolated for trend in trends for point in trend.step_curve):
        sentences.append(
            "Dashed parts of curves are extrapolated: they hold only if the same regime goes on, and each "
            "further doubling is less sure."
        )
    undecided = dict.fromkeys(
        shortened(check.statement, 160) for trend in trends for check in trend.checks if check.passed is None
    )
    return [*sentences, *(f"Undecided: {statement}" for statement in list(undecided)[:3])]
