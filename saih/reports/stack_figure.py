"""Component stacks: where the time of a step goes at each point, and what overlap hides."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from saih.domain.quantity import with_si
from saih.domain.record import STEP_PHASES, Phase
from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS, PointSummary
from saih.reports.data_label import data_label
from saih.reports.figure import drawn
from saih.reports.fitted import fitted, width_mm
from saih.reports.label import plain

POINTS_PER_FIGURE = 36
_LABEL_MM, _LABEL_SIZE = 49.0, 7.0
"""Room and type of a label beside its bar."""
_RANKS_MM = 18.0
_WIDTH_MM, _ROW_MM = 176.0, 5.4
_TOP_MM, _BOTTOM_MM = 13.0, 10.0
PHASE_FILLS = {
    Phase.INPUT_WAIT: ("#E69F00", ""),
    Phase.FORWARD: ("#0072B2", ""),
    Phase.BACKWARD: ("#7cc4ee", ""),
    Phase.COMMUNICATION: ("#D55E00", "////"),
    Phase.OPTIMIZER: ("#009E73", "...."),
    Phase.OTHER: ("#bfbfbf", ""),
    Phase.STAGE_WAIT: ("#CC79A7", "\\\\\\\\"),
}
PHASE_INKS = {Phase.FORWARD: "white", Phase.COMMUNICATION: "white", Phase.OPTIMIZER: "white"}
_HIDDEN = {Phase.INPUT_PRODUCE: ("D", "#7a5200"), Phase.COMMUNICATION_TOTAL: ("X", "#7d1d00")}
_FULL = 118.0
"""Abscissa [%] beyond which a hidden phase is drawn at the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberedPoint:
    """A point with its number in the table of points."""

    number: int
    summary: PointSummary


def phase_words(phase: Phase) -> str:
    """The name of a phase as a reader knows it."""
    names = {
        Phase.INPUT_WAIT: "waiting for input",
        Phase.COMMUNICATION: "exposed communication",
        Phase.STAGE_WAIT: "waiting for other stages",
        Phase.INPUT_PRODUCE: "producing input (hidden)",
        Phase.COMMUNICATION_TOTAL: "all communication (hidden)",
    }
    return names.get(phase, phase.value)


def phases_in(points: Iterable[PointSummary]) -> frozenset[Phase]:
    """The phases that take any time at one of the points."""
    return frozenset(phase for point in points for phase, spent in point.phases_ns.items() if spent.value > 0)


def phase_legend(figure: Figure, height_mm: float, present: Collection[Phase]) -> None:
    """The phases that fill a stack, in one line above the panels of a figure."""
    patches = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=phase_words(phase))
        for phase, (colour, hatch) in PHASE_FILLS.items()
        if phase in present
    ]
    figure.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(0.0, 1 - 1.0 / height_mm), ncols=6, frameon=False,
        fontsize=6.8, handlelength=1.3, columnspacing=1.4, borderaxespad=0, borderpad=0.1,
    )  # fmt: skip


def stack_figure(points: Sequence[NumberedPoint]) -> str:
    """SVG of one bar for each point, in percent of its step; hidden phases are marks on the bar."""
    height_mm = _ROW_MM * len(points) + _TOP_MM + _BOTTOM_MM

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.3, _BOTTOM_MM / height_mm, 0.68, 1 - (_TOP_MM + _BOTTOM_MM) / height_mm))
        axes.set_xlim(0, _FULL + 17)
        axes.set_ylim(len(points) - 0.4, -0.6)
        for row, point in enumerate(points):
            _bar(axes, row, point.summary)
            _marks(axes, row, point.summary)
        axes.set_yticks(range(len(points)), [_row_label(point) for point in points])
        axes.set_xticks(range(0, 101, 20), [f"{value} %" for value in range(0, 101, 20)])
        axes.set_xlabel("share of the median step (the step's length is written at the right)", loc="left")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["bottom"].set_bounds(0, 100)
        _legend(figure, height_mm, points)

    return drawn(_WIDTH_MM, height_mm, paint)


def _row_label(point: NumberedPoint) -> str:
    """Its rungs, each cut to an equal part of the room where they need more of it, and its number."""
    labels = point.summary.labels
    known = [data_label(labels), labels.get("model", ""), labels.get(EXECUTION_LABEL, "")]
    known = [label for label in known if label]
    last = f"{fitted(labels.get(RANKS_AXIS, ''), _RANKS_MM, _LABEL_SIZE)}  #{point.number}"
    room_mm = _LABEL_MM - width_mm(f", {last}", _LABEL_SIZE)
    words = ", ".join(plain(label) for label in known)
    if width_mm(words, _LABEL_SIZE) > room_mm:
        part_mm = room_mm / max(len(known), 2) - width_mm(",", _LABEL_SIZE)
        words = ", ".join(fitted(label, part_mm, _LABEL_SIZE) for label in known)
    separator = ", " if words and labels.get(RANKS_AXIS) else ""
    return f"{words or 'as given'}{separator}{last}"


def _bar(axes: Axes, row: int, summary: PointSummary) -> None:
    total = summary.step_ns.value or 1.0
    left = 0.0
    for phase in STEP_PHASES:
        if phase not in summary.phases_ns:
            continue
        width = 100 * summary.phases_ns[phase].value / total
        colour, hatch = PHASE_FILLS[phase]
        axes.barh(
            row, width, left=left, height=0.72, color=colour, hatch=hatch, edgecolor="white", linewidth=0.4
        )
        if width >= 7:
            axes.text(
                left + width / 2, row, f"{width:.0f}", ha="center", va="center", fontsize=6.2,
                color=PHASE_INKS.get(phase, "#1a1a1a"),
            )  # fmt: skip
        left += width
    axes.text(
        _FULL + 16.5, row, with_si(summary.step_ns.value * 1e-9, "s"), ha="right", va="center", fontsize=6.8
    )


def _marks(axes: Axes, row: int, summary: PointSummary) -> None:
    total = summary.step_ns.value or 1.0
    for phase, (marker, colour) in _HIDDEN.items():
        hidden = summary.phases_ns.get(phase)
        if hidden is None or hidden.value <= 0:
            continue
        place = 100 * hidden.value / total
        is_beyond = place > _FULL - 16
        axes.plot(
            [_FULL - 14 if is_beyond else place], [row + 0.36], marker=">" if is_beyond else marker,
            color=colour, markeredgecolor="white", markeredgewidth=0.6, markersize=4.2, zorder=5,
            linestyle="none",
        )  # fmt: skip


def _legend(figure: Figure, height_mm: float, points: Sequence[NumberedPoint]) -> None:
    present = phases_in(point.summary for point in points)
    patches: list[Patch | Line2D] = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=phase_words(phase))
        for phase, (colour, hatch) in PHASE_FILLS.items()
        if phase in present
    ]
    patches += [
        Line2D([], [], marker=marker, color=colour, linestyle="none", label=phase_words(phase))
        for phase, (marker, colour) in _HIDDEN.items()
        if phase in present
    ]
    figure.legend(
        handles=patches, loc="upper left", bbox_to_anchor=(0.0, 1 - 1.0 / height_mm), ncols=4, frameon=False,
        fontsize=6.8, handlelength=1.3, columnspacing=1.6, borderaxespad=0, borderpad=0.1,
    )  # fmt: skip
