"""The speed of one system over its runs, with the steps that were found."""

import math
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saih.domain.history import History, Series
from saih.domain.interval import Interval
from saih.reports.figure import COLOURS, QUIET, drawn, note
from saih.reports.label import shortened
from saih.reports.ratio_figure import ratio_axis

_WIDTH_MM, _HEIGHT_MM = 176.0, 74.0
_MOST_TICKS = 14


def history_figure(history: History, series: Series) -> str:
    """SVG of one series relative to its first run; steps are lines of the mean between them."""
    known = [(place, rate) for place, rate in enumerate(series.rates) if rate is not None]

    def paint(figure: Figure) -> None:
        axes = figure.add_axes((0.09, 0.36, 0.88, 0.58))
        axes.set_ylabel("speed over the first run")
        axes.set_xlim(-0.6, len(history.runs) - 0.4)
        _ticks(axes, [run.name for run in history.runs])
        if not known:
            note(axes, series.remark or "nothing was measured")
            axes.set_yticks([])
            return
        first = known[0][1].value
        relative = [(place, rate.scaled(1 / first)) for place, rate in known]
        ratio_axis(axes, "y", [rate for _, rate in relative])
        _draw(axes, relative, series)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _ticks(axes: Axes, names: Sequence[str]) -> None:
    every = max(math.ceil(len(names) / _MOST_TICKS), 1)
    shown = list(range(0, len(names), every))
    axes.set_xticks(shown, [shortened(names[place], 18) for place in shown], rotation=35, ha="right")


def _draw(axes: Axes, rates: Sequence[tuple[int, Interval]], series: Series) -> None:
    axes.axhline(1.0, color=QUIET, linewidth=0.6, linestyle=":")
    for place, rate in rates:
        axes.plot([place, place], [rate.low, rate.high], color=COLOURS[0], linewidth=1.1)
    axes.plot([place for place, _ in rates], [rate.value for _, rate in rates], "o", color=COLOURS[0])
    bounds = [rates[0][0], *(change.place for change in series.changes), rates[-1][0] + 1]
    for low, high in pairwise(bounds):
        logs = [math.log(rate.value) for place, rate in rates if low <= place < high]
        mean = math.exp(math.fsum(logs) / len(logs))
        axes.plot([low - 0.4, high - 0.6], [mean, mean], color=COLOURS[1], linewidth=1.6, zorder=2)
    for change in series.changes:
        axes.axvline(change.place - 0.5, color=COLOURS[1], linewidth=0.8, linestyle="--")
        sign = "+" if change.ratio.value >= 1 else "\N{MINUS SIGN}"
        axes.text(
            change.place - 0.45, 1.02, f"{sign}{abs(change.ratio.value - 1) * 100:.3g} %",
            transform=axes.get_xaxis_transform(), fontsize=6.8, color=COLOURS[1],
        )  # fmt: skip
