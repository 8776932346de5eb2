"""Speed ratios of two systems: one line for each matched point, with its interval, around equal speed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.interval import Interval
from saih.domain.quantity import factor
from saih.domain.trend import MatchedPoint
from saih.reports.figure import COLOURS, QUIET, drawn, log_axis
from saih.reports.label import shortened

_WIDTH_MM, _TOP_MM, _BOTTOM_MM = 176.0, 7.0, 11.0
_FASTER, _SLOWER, _SAME = COLOURS[0], COLOURS[1], "#777777"


def matched_words(point: MatchedPoint) -> str:
    """A matched point by its rungs."""
    return ", ".join(point.labels[axis] for axis in sorted(point.labels)) or point.record_a


def ratio_figure(matched: Sequence[MatchedPoint], mean: Interval | None, name_a: str, name_b: str) -> str:
    """SVG of the speed of A over B at each matched point and of their geometric mean."""
    rows = [(shortened(matched_words(point), 34), point.speed_ratio) for point in matched]
    if mean is not None:
        rows.append(("geometric mean", mean))
    row_mm = min(5.0, 150.0 / len(rows))
    height_mm = row_mm * len(rows) + _TOP_MM + _BOTTOM_MM

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.3, _BOTTOM_MM / height_mm, 0.5, 1 - (_TOP_MM + _BOTTOM_MM) / height_mm))
        _scale(axes, [ratio for _, ratio in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(1.0, color="#333333", linewidth=0.8)
        for row, (_, ratio) in enumerate(rows):
            _draw(axes, row, ratio, is_mean=mean is not None and row == len(rows) - 1)
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"speed of {shortened(name_a, 36)} over {shortened(name_b, 36)}")
        _sides(axes, name_a, name_b)

    return drawn(_WIDTH_MM, height_mm, paint)


def _scale(axes: Axes, ratios: Sequence[Interval]) -> None:
    """Logarithmic, so that twice as fast is as far from equal as half as fast."""
    log_axis(axes, "x", [*(ratio.low for ratio in ratios), *(ratio.high for ratio in ratios), 1.0])
    low, high = axes.get_xlim()
    if high / low < 8:
        steps = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 7)
        axes.set_xticks([step for step in steps if low <= step <= high])
        axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))


def _draw(axes: Axes, row: int, ratio: Interval, *, is_mean: bool) -> None:
    colour = _FASTER if ratio.low > 1 else _SLOWER if ratio.high < 1 else _SAME
    marker = ">" if ratio.low > 1 else "<" if ratio.high < 1 else "o"
    axes.plot([ratio.low, ratio.high], [row, row], color=colour, linewidth=2.4 if is_mean else 1.4)
    axes.plot(
        [ratio.value], [row], marker="D" if is_mean else marker, color=colour, markeredgecolor="white",
        markeredgewidth=0.5, markersize=6, linestyle="none",
    )  # fmt: skip
    axes.text(
        1.02, row, factor(ratio), transform=axes.get_yaxis_transform(), va="center", fontsize=6.8,
        fontweight="bold" if is_mean else "normal",
    )  # fmt: skip


def _sides(axes: Axes, name_a: str, name_b: str) -> None:
    """Say on which side of equal speed which system is the faster one."""
    words = (
        (0.0, "left", f"← {shortened(name_b, 28)} faster"),
        (1.0, "right", f"{shortened(name_a, 28)} faster →"),
    )
    for place, side, text in words:
        axes.text(
            place, 1.01, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=6.5, color=QUIET
        )
