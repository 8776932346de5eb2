"""Cautions: how far the numbers may be trusted, and what must not be concluded from them."""

import re
from collections import Counter
from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.quantity import counted, percent
from saih.domain.trend import Analysis, Limit, PointSummary, Trend
from saih.reports.label import shortened
from saih.reports.study_words import marks_claim, studied
from saih.reports.words import NAME_WIDTH, law_of, line_name, outcome_words, records_of

_FEW_STEPS = 10
_FEW_POINTS = 5
_MOST_WARNINGS = 2
_RECORD_ID = re.compile(r"\b[0-9a-f]{16}/attempt-[0-9]+")


def confidence(analysis: Analysis) -> tuple[str | Claim, ...]:
    """Sentences on how well the numbers are known, then the first of the analyzer's own warnings."""
    tried = records_of((*analysis.points, *analysis.failed))
    outcomes = Claim(claim_id="outcomes", text=f"{outcome_words(analysis)}.", record_ids=tried)
    supplied = _supplied(analysis.points)
    claims = (outcomes, *supplied, *_widths(analysis.points), *_losses(analysis.points), *_checks(analysis))
    claims = (*claims, *_gates(analysis, is_studied=True))
    return (*claims, *_warned("warning-in-brief", first_warnings(analysis.warnings), tried))


def cautions(analysis: Analysis) -> tuple[str | Claim, ...]:
    """What a reader must not conclude from this sweep."""
    tried = records_of((*analysis.points, *analysis.failed))
    warnings = [f"Warned by the analysis: {warning}" for warning in analysis.warnings]
    return (
        *_always(),
        _of_answers(analysis.points),
        *_gates(analysis, is_studied=False),
        *_from_points(analysis.points),
        *_from_trends(analysis.trends),
        *_warned("warning", warnings, tried),
    )


def first_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    """As many warnings as a summary has room for, and how many more there are."""
    first = tuple(shortened(warning, 200) for warning in warnings[:_MOST_WARNINGS])
    num_left = len(warnings) - len(first)
    return (*first, f"{counted(num_left, 'more warning')} at the end of the report.") if num_left else first


def _warned(claim_id: str, warnings: Sequence[str], record_ids: Sequence[str]) -> list[Claim]:
    """Warnings as claims, which rest on the records that they name."""
    known = frozenset(record_ids)
    return [
        Claim(
            claim_id=f"{claim_id}/{number}",
            text=warning,
            record_ids=tuple(name for name in dict.fromkeys(_RECORD_ID.findall(warning)) if name in known),
        )
        for number, warning in enumerate(warnings, start=1)
        if warning
    ]


def _supplied(points: Sequence[PointSummary]) -> list[Claim]:
    """That no data set was read, where that is so: rates then hold for machines whose input costs nothing."""
    made = [point for point in points if point.point.supply.input == "synthetic"]
    if not made:
        return []
    text = (
        f"Input was synthetic at {counted(len(made), 'point')}: a few batches, made once in memory, came "
        "again and again. Rates are those of training alone; reading and decoding are not in them."
    )
    return [Claim(claim_id="synthetic-input", text=text, record_ids=records_of(made))]


def _widths(points: Sequence[PointSummary]) -> list[Claim]:
    if not points:
        return []
    widths = sorted(point.step_ns.relative_width for point in points)
    counts = sorted(point.step_ns.count for point in points)
    reached = sum(point.step_ns.relative_width <= point.point.timing.relative_width for point in points)
    asked = " or ".join(sorted({percent(point.point.timing.relative_width) for point in points}))
    width = _between(percent(widths[0]), percent(widths[-1]))
    steps = _between(str(counts[0]), str(counts[-1]))
    text = (
        f"The {percent(points[0].step_ns.level)} interval of the median step is {width} wide, from {steps} "
        f"steps for each point; {reached} of {counted(len(points), 'point')} reached the asked {asked}."
    )
    return [Claim(claim_id="widths", text=text, record_ids=records_of(points))]


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _losses(points: Sequence[PointSummary]) -> list[Claim]:
    still = [point for point in points if point.loss.is_learning is False]
    if not still:
        return []
    text = (
        f"The loss did not fall at {len(still)} of {counted(len(points), 'point')}; see the table of points."
    )
    return [Claim(claim_id="losses", text=text, record_ids=records_of(still))]


def _checks(analysis: Analysis) -> list[Claim]:
    trends = analysis.trends
    checks = [(check, trend) for trend in trends for check in trend.checks]
    if not checks:
        return []
    counts = Counter(check.passed for check, _ in checks)
    said = f"Checks of the trends: {counts[True]} passed, {counts[False]} failed, {counts[None]} undecided."
    failed = {
        f"{_where(trend, analysis.points)}: {check.statement}": trend
        for check, trend in checks
        if check.passed is False
    }
    return [
        Claim(claim_id="checks", text=said, record_ids=_records_behind(trends)),
        *_stated("failed-check", list(failed.items())[:1]),
    ]


def _where(trend: Trend, points: Sequence[PointSummary]) -> str:
    line = shortened(line_name(trend, points), NAME_WIDTH)
    return f"Over the {shortened(trend.axis, NAME_WIDTH)} axis at {line}"


def _stated(claim_id: str, statements: Sequence[tuple[str, Trend]]) -> list[Claim]:
    """What checks of trends state, each resting on its trend."""
    return [
        Claim(claim_id=f"{claim_id}/{number}", text=statement, record_ids=trend.record_ids, fit=law_of(trend))
        for number, (statement, trend) in enumerate(statements, start=1)
    ]


def _records_behind(trends: Sequence[Trend]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(record_id for trend in trends for record_id in trend.record_ids))


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
    ]


def _of_answers(points: Sequence[PointSummary]) -> str:
    if points and all(point.loss.is_learning is None for point in points):
        return "Do not read the answers: weights may be random, and what they cost does not depend on them."
    return "Do not read the loss as accuracy: the runs are as long as timing needs, not as training needs."


def _gates(analysis: Analysis, *, is_studied: bool) -> list[Claim]:
    """Which points pose problems worth learning, if asked for where somebody looked or where nobody did."""
    claim = marks_claim(analysis)
    return [claim] if claim is not None and bool(studied(analysis.points)) is is_studied else []


def _from_points(points: Sequence[PointSummary]) -> list[Claim]:
    few = [point for point in points if point.step_ns.count < _FEW_STEPS]
    unknown = [point for point in points if point.share_of_peak is None]
    silent = [point for point in points if point.diagnosis.limit in (Limit.UNEXPLAINED, Limit.MIXED)]
    contended = [point for point in points if point.diagnosis.is_contended]
    said = (
        ("contended", contended, "on contended processors: measure again alone before reading their work."),
        ("few-steps", few, f"with fewer than {_FEW_STEPS} steps: treat as rough."),
        (
            "no-ceiling",
            unknown,
            "without a measured ceiling: a rate must not be read as good or bad use of the machine.",
        ),
        ("no-single-cause", silent, "without a single cause: do not tune for one."),
    )
    return [
        Claim(claim_id=name, text=f"{counted(len(found), 'point')} {text}", record_ids=records_of(found))
        for name, found, text in said
        if found
    ]


def _from_trends(trends: Sequence[Trend]) -> list[Claim]:
    lawless = [trend for trend in trends if trend.total is None]
    thin = [trend for trend in trends if trend.total is not None and len(trend.sizes) < _FEW_POINTS]
    beyond = [trend for trend in trends if any(point.is_extrapolated for point in trend.step_curve)]
    said = (
        (
            "no-law",
            lawless,
            f"Too few points for a law in {counted(len(lawless), 'trend')}: nothing is said beyond them.",
        ),
        (
            "thin-law",
            thin,
            (
                f"Fewer than {_FEW_POINTS} points behind the law of {counted(len(thin), 'trend')}: a change "
                "of regime between or beyond them would not be seen."
            ),
        ),
        (
            "extrapolated",
            beyond,
            (
                "Dashed parts of curves are extrapolated: they hold only if the same regime goes on, and "
                "each further doubling is less sure."
            ),
        ),
    )
    undecided = {
        f"Undecided: {shortened(check.statement, 160)}": trend
        for trend in trends
        for check in trend.checks
        if check.passed is None
    }
    return [
        *(
            Claim(claim_id=name, text=text, record_ids=_records_behind(found))
            for name, found, text in said
            if found
        ),
        *_stated("undecided-check", list(undecided.items())[:3]),
    ]
