"""Speed ratios of two systems: one line for each matched point, with its interval, around equal speed."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.comparison import MatchedPoint
from saih.domain.interval import Interval
from saih.domain.quantity import factor
from saih.reports.figure import COLOURS, QUIET, drawn, log_axis
from saih.reports.label import shortened

_WIDTH_MM, _TOP_MM, _BOTTOM_MM = 176.0, 7.0, 11.0
_FASTER, _SLOWER, _SAME = COLOURS[0], COLOURS[1], "#777777"
_COARSE_TICKS = (0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7)
_TICKS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4, 5, 7)
_FINE_TICKS = (0.9, 0.92, 0.94, 0.96, 0.98, 1, 1.02, 1.04, 1.06, 1.08, 1.1)


def matched_words(point: MatchedPoint) -> str:
    """A matched point by its rungs."""
    known = [point.labels[axis] for axis in sorted(point.labels) if point.labels[axis]]
    return ", ".join(known) or next(iter(point.records_a), "")


def ratio_figure(
    matched: Sequence[MatchedPoint],
    mean: tuple[Interval, bool] | None,
    name_a: str,
    name_b: str,
) -> str:
    """SVG of the speed of A over B at each matched point and of their mean with its verdict.

    What is not told apart is grey, whatever its interval alone would say.
    """
    rows = [(shortened(matched_words(point), 34), point.speed_ratio, point.is_different) for point in matched]
    if mean is not None:
        rows.append(("geometric mean", *mean))
    row_mm = min(4.5, 150.0 / len(rows))
    height_mm = row_mm * len(rows) + _TOP_MM + _BOTTOM_MM

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.3, _BOTTOM_MM / height_mm, 0.5, 1 - (_TOP_MM + _BOTTOM_MM) / height_mm))
        ratio_axis(axes, "x", [ratio for _, ratio, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(1.0, color="#333333", linewidth=0.8)
        for row, (_, ratio, different) in enumerate(rows):
            _draw(axes, row, ratio, is_mean=mean is not None and row == len(rows) - 1, is_different=different)
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"speed of {shortened(name_a, 36)} over {shortened(name_b, 36)}")
        _sides(axes, name_a, name_b)

    return drawn(_WIDTH_MM, height_mm, paint)


def ratio_axis(axes: Axes, name: str, ratios: Sequence[Interval]) -> None:
    """Logarithmic, so that twice as fast is as far from equal as half as fast."""
    bounds = [*(ratio.low for ratio in ratios), *(ratio.high for ratio in ratios), 1.0]
    log_axis(axes, "x" if name == "x" else "y", bounds)
    low, high = min(bounds) / 1.04, max(bounds) * 1.04
    axis = axes.xaxis if name == "x" else axes.yaxis
    if high / low < 8:
        axes.set(**{f"{name}lim": (low, high)})
        inside = [step for step in (_TICKS if high / low < 2.5 else _COARSE_TICKS) if low <= step <= high]
        if len(inside) < 4:
            inside = [step for step in _FINE_TICKS if low <= step <= high]
        axis.set_ticks(inside)
        axis.set_ticks([], minor=True)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))


def _draw(axes: Axes, row: int, ratio: Interval, *, is_mean: bool, is_different: bool) -> None:
    is_faster = ratio.value > 1
    colour = (_FASTER if is_faster else _SLOWER) if is_different else _SAME
    marker = (">" if is_faster else "<") if is_different else "o"
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
