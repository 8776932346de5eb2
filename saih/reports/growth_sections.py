"""The section on growth: how share of peak and rate move along the axes of a sweep, under their ceilings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from saih.domain.ceiling import Ceilings
from saih.domain.quantity import counted, interval_with_si, with_si
from saih.domain.trend import RANKS_AXIS, Analysis, PointSummary, Trend
from saih.reports.document import Block, Heading, Paragraph, Picture, Section, section_or
from saih.reports.grid import setting_of
from saih.reports.label import shortened
from saih.reports.setting import setting_names
from saih.reports.thinned import thinned, thinned_words
from saih.reports.trend_figure import Line, Ordinate, Roof, trend_figure
from saih.reports.trend_lines import trend_lines
from saih.reports.trend_panels import LINES_PER_PANEL, PANELS_PER_FIGURE, Panel, trend_panels

NO_POINT = "No point was measured, so there is nothing to draw here."
_LINES_PER_FIGURE = 14
_MARKS = (
    "Marks: medians with their 95 % intervals. Curves: fit with its 90 % prediction band; dashed where "
    "extrapolated; dotted lines join points too few for a law. White rings: the verdict changes between "
    "the marks beside them."
)
_ROOFS = "Grey lines: measured peak (band: its interval) and, dotted, the vendor's peak."
_WORDS: Mapping[Ordinate, str] = {"share": "Share of measured peak", "rate": "Rate", "step": "Median step"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The trends of one setting along one axis, with the ceilings of its placement."""

    setting: str
    trends: tuple[Trend, ...]
    ceilings: Ceilings | None
    precision: str
    """Number format of all points; empty where a search chose several."""


def growth_section(analysis: Analysis) -> Section:
    """Share of peak and rate over each axis."""
    blocks: list[Block] = []
    for axis, courses in courses_of(analysis).items():
        blocks.append(Heading(text=f"Over the {shortened(axis, 40)} axis"))
        blocks += trend_blocks(analysis, courses, "share") or [_no_share()]
        blocks += trend_blocks(analysis, courses, "rate")
    return section_or("How performance moves as the problem grows", blocks, _no_trend(analysis))


def courses_of(analysis: Analysis) -> dict[str, list[Course]]:
    """Axis -> its settings, data before model; trends over ranks have their own section."""
    points = {point.record_id: point for point in analysis.points}
    groups: dict[tuple[str, str], list[Trend]] = {}
    for trend in analysis.trends:
        first = points.get(trend.record_ids[0]) if trend.record_ids else None
        if trend.axis != RANKS_AXIS and first is not None:
            groups.setdefault((trend.axis, setting_of(first.point)), []).append(trend)
    order = {setting: number for number, setting in enumerate(setting_names(analysis.points))}
    found: dict[str, list[Course]] = {}
    for axis, setting in sorted(groups, key=lambda key: (key[0], order[key[1]])):
        trends = tuple(groups[axis, setting])
        found.setdefault(axis, []).append(_course(setting, trends, points, analysis.ceilings))
    return found


def trend_blocks(analysis: Analysis, courses: Sequence[Course], ordinate: Ordinate) -> list[Block]:
    """Figures of one setting whole, of several as small multiples; nothing where no value is known."""
    points = {point.record_id: point for point in analysis.points}
    made = [(course, _lines(course, points, ordinate)) for course in courses]
    made = [(course, lines) for course, lines in made if lines]
    if len(made) == 1:
        return _whole(*made[0], ordinate)
    return _small(made, setting_names(analysis.points), ordinate)


def _course(
    setting: str,
    trends: tuple[Trend, ...],
    points: Mapping[str, PointSummary],
    ceilings: Sequence[Ceilings],
) -> Course:
    first = points[trends[0].record_ids[0]].point
    formats = {points[one].precision for trend in trends for one in trend.record_ids if one in points}
    own = next((found for found in ceilings if found.placement_label == first.placement.seats_label), None)
    precision = formats.pop() if len(formats) == 1 else ""
    return Course(setting=setting, trends=trends, ceilings=own, precision=precision)


def _lines(course: Course, points: Mapping[str, PointSummary], ordinate: Ordinate) -> tuple[Line, ...]:
    peak = course.ceilings.peak_flops_per_s(course.precision) if course.ceilings else None
    return trend_lines(course.trends, points, ordinate, peak)


def _whole(course: Course, lines: Sequence[Line], ordinate: Ordinate) -> list[Block]:
    shown = thinned(lines, 2 * _LINES_PER_FIGURE)
    roofs = _roofs(course) if ordinate == "rate" else ()
    head = _ceiling_words(course) if ordinate == "share" else ""
    size_label = course.trends[0].size_label
    left_out = thinned_words(len(shown), len(lines), "line")
    parts = [shown[start : start + _LINES_PER_FIGURE] for start in range(0, len(shown), _LINES_PER_FIGURE)]
    return [
        Picture(
            svg=trend_figure(part, size_label, ordinate, head=head, roofs=roofs),
            alt=_alt(course.trends, part, ordinate),
            caption=_caption((course,), ordinate, left_out, course.setting),
        )
        for part in parts
    ]


def _small(
    made: Sequence[tuple[Course, tuple[Line, ...]]], names: Mapping[str, str], ordinate: Ordinate
) -> list[Block]:
    blocks: list[Block] = []
    for start in range(0, len(made), PANELS_PER_FIGURE):
        part = made[start : start + PANELS_PER_FIGURE]
        panels = [
            Panel(
                title=names[course.setting],
                lines=thinned(lines, LINES_PER_PANEL),
                roofs=_roofs(course) if ordinate == "rate" else (),
            )
            for course, lines in part
        ]
        most = max((course for course, _ in part), key=lambda course: len(course.trends))
        left_out = thinned_words(LINES_PER_PANEL, len(most.trends), "line")
        svg = trend_panels(panels, most.trends[0].size_label, ordinate)
        lines = [line for panel in panels for line in panel.lines]
        alt = _alt(most.trends, lines, ordinate)
        caption = _caption([course for course, _ in part], ordinate, left_out, "")
        blocks.append(Picture(svg=svg, alt=alt, caption=caption))
    return blocks


def _alt(trends: Sequence[Trend], lines: Sequence[Line], ordinate: Ordinate) -> str:
    return f"{_WORDS[ordinate]} over {shortened(trends[0].axis, 40)} size, {counted(len(lines), 'line')}."


def _caption(courses: Sequence[Course], ordinate: Ordinate, left_out: str, setting: str) -> str:
    said = [f"{_WORDS[ordinate]}; {_counts(courses)}", _MARKS.rstrip(".")]
    said += [_ROOFS.rstrip(".")] if ordinate == "rate" else []
    return ". ".join(part for part in (*said, left_out, setting) if part) + "."


def _counts(courses: Sequence[Course]) -> str:
    trends = [trend for course in courses for trend in course.trends]
    steps = sorted(step.count for trend in trends for step in trend.step_ns)
    return f"n = {counted(len(steps), 'point')}, {between(steps)} steps each"


def between(counts: Sequence[int]) -> str:
    """The range of sorted counts, such as ``24`` or ``24 to 30``."""
    return f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"


def _roofs(course: Course) -> tuple[Roof, ...]:
    if course.ceilings is None:
        return ()
    peak = course.ceilings.peak_flops_per_s(course.precision)
    vendor = course.ceilings.vendor_flops_per_s.get(course.precision)
    measured = (Roof(name="measured peak", rate=peak),) if peak is not None else ()
    return (*measured, Roof(name="vendor's peak", rate=vendor)) if vendor else measured


def _ceiling_words(course: Course) -> str:
    found, precision = course.ceilings, course.precision
    if found is not None and not precision:
        return "100 % = measured peak of the number format that each point ran in"
    peak = found.peak_flops_per_s(precision) if found else None
    if found is None or peak is None:
        return "no ceiling was measured"
    vendor = found.vendor_flops_per_s.get(precision)
    known = with_si(vendor, "FLOP/s") if vendor else "unknown"
    return f"100 % = measured peak, {interval_with_si(peak, 'FLOP/s')}; vendor's peak {known} ({precision})"


def _no_share() -> Paragraph:
    return Paragraph(text="No share of peak is known along this axis: no ceiling was measured.")


def _no_trend(analysis: Analysis) -> str:
    if not analysis.points:
        return NO_POINT
    return f"No trend: {counted(len(analysis.points), 'measured point')}, and no axis with two sizes or more."
