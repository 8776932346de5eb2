"""The front of a search: loss over the training cost of a sample, with what learns without a network."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.quantity import with_si_short
from saih.domain.study import Frontier, Learned
from saih.reports.figure import QUIET, colour_of, drawn, log_axis, marked
from saih.reports.label import shortened

_WIDTH_MM, _HEIGHT_MM = 176.0, 74.0
_LEFT, _BOTTOM_MM, _TOP_MM, _FRAME_WIDTH = 0.1, 11.0, 4.0, 0.86
_MOST_BASELINES = 4


def front_figure(frontier: Frontier) -> str:
    """SVG of a front with at least one rung: marks with intervals over seeds, the front as a line."""

    def paint(figure: Figure) -> None:
        frame = (_LEFT, _BOTTOM_MM / _HEIGHT_MM, _FRAME_WIDTH, 1 - (_TOP_MM + _BOTTOM_MM) / _HEIGHT_MM)
        axes = figure.add_axes(frame)
        axes.set_xlabel("training operations of a sample [FLOP]")
        axes.set_ylabel(shortened(frontier.metric, 60))
        learned = (*frontier.rungs, *frontier.deepened)
        log_axis(axes, "x", [rung.flops_per_sample for rung in learned])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: with_si_short(value, "")))
        bounds = [end for rung in learned for end in (rung.loss.low, rung.loss.high)]
        bounds += list(frontier.baselines.values())
        margin = 0.08 * (max(bounds) - min(bounds)) or 0.05
        axes.set_ylim(max(0.0, min(bounds) - margin), max(bounds) + margin)
        _paint(axes, frontier.rungs, 0, "best at each cost")
        _paint(axes, frontier.deepened, 1, "only deepened")
        _front(axes, [rung for rung in frontier.rungs if rung.is_on_front])
        _baselines(axes, frontier)
        axes.legend(loc="best", fontsize=6.5, frameon=False)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _paint(axes: Axes, rungs: Sequence[Learned], index: int, name: str) -> None:
    if not rungs:
        return
    marked(axes, [rung.flops_per_sample for rung in rungs], [rung.loss for rung in rungs], index)
    axes.plot([], [], marker="os"[index], linestyle="none", color=colour_of(index), label=name)


def _front(axes: Axes, rungs: Sequence[Learned]) -> None:
    """The line that nothing cheaper lies below."""
    costs, losses = [rung.flops_per_sample for rung in rungs], [rung.loss.value for rung in rungs]
    axes.step(costs, losses, where="post", color=colour_of(0), linewidth=0.9, zorder=3)


def _baselines(axes: Axes, frontier: Frontier) -> None:
    """Flat lines with their names above them."""
    for name, loss in list(frontier.baselines.items())[:_MOST_BASELINES]:
        axes.axhline(loss, color=QUIET, linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            shortened(name, 40), (0.995, loss), xycoords=("axes fraction", "data"), xytext=(0, 1.5),
            textcoords="offset points", ha="right", va="bottom", fontsize=6.5, color=QUIET,
        )  # fmt: skip
