"""A figure: drawn by matplotlib in one style and handed on as SVG, the same bytes for the same content.

Colours are Okabe-Ito's (Color Universal Design, 2008); series differ by marker as well, so that a grey
print stays readable. Text stays text: the document sets it in the same font.
"""

import io
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context as style_context
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from saih.domain.interval import Interval
from saih.domain.quantity import tick
from saih.reports.label import plain

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
QUIET = "#595959"
EDGE = "#D55E00"
"""Of the line between what ran and what did not."""
_MM_PER_INCH = 25.4
_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#4d4d4d",
    "axes.grid": True,
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 7.0,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "saih",
    "text.parse_math": False,
    "xtick.labelsize": 7.0,
    "xtick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.labelsize": 7.0,
    "ytick.major.width": 0.6,
    "ytick.minor.width": 0.4,
}


def drawn(width_mm: float, height_mm: float, paint: Callable[[Figure], None]) -> str:
    """The SVG of a figure of this size that ``paint`` fills."""
    buffer = io.StringIO()
    with style_context(["default", _STYLE]), warnings.catch_warnings():
        # The document's typesetter chooses the font of each character; matplotlib only estimates widths.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width_mm / _MM_PER_INCH, height_mm / _MM_PER_INCH))
        paint(figure)
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_text("\n".join(plain(line) for line in text.get_text().split("\n")))
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def colour_of(index: int) -> str:
    """Colour of the series number ``index``."""
    return COLOURS[index % len(COLOURS)]


def marker_of(index: int) -> str:
    """Marker of the series number ``index``; with the colour it repeats only after 56 series."""
    return MARKERS[index % len(MARKERS)]


def marker_size_of(index: int) -> float:
    """Size [points] at which all markers look equally large."""
    return 4.5 if marker_of(index) in ("o", "s", "D") else 5.8


def marked(axes: Axes, xs: Sequence[float], ys: Sequence[Interval], index: int) -> None:
    """Values of the series number ``index`` as its markers, over bars from low to high."""
    values = [y.value for y in ys]
    bars = [[y.value - y.low for y in ys], [y.high - y.value for y in ys]]
    colour = colour_of(index)
    # No caps: on an interval narrower than its marker they would look like another marker.
    axes.errorbar(xs, values, yerr=bars, fmt="none", ecolor=colour, elinewidth=1.1, zorder=4)
    axes.plot(
        xs, values, marker_of(index), color=colour, markersize=marker_size_of(index), zorder=5,
        markeredgecolor="white", markeredgewidth=0.35,
    )  # fmt: skip


def log_axis(axes: Axes, name: Literal["x", "y"], values: Sequence[float]) -> None:
    """A logarithmic axis around positive ``values``, with SI ticks."""
    low, high = min(values), max(values)
    decades = math.log10(high / low)
    margin = 10 ** max(0.06 * decades, 0.12)
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low / margin, high * margin)})
    axis = axes.xaxis if name == "x" else axes.yaxis
    subs = (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axis.set_minor_formatter(NullFormatter())


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Positions near ``wanted``, in the same order, ``gap`` apart and inside [low, high] if they fit."""
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    placed: list[float] = []
    for rank, index in enumerate(order):
        floor = placed[-1] + gap if placed else low
        ceiling = high - gap * (len(order) - 1 - rank)
        placed.append(min(max(wanted[index], floor), ceiling))
    for rank in range(len(placed) - 2, -1, -1):
        placed[rank] = min(placed[rank], placed[rank + 1] - gap)
    result = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        result[index] = placed[rank]
    return result


def note(axes: Axes, text: str) -> None:
    """A sentence in the middle of axes that have nothing else to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET, fontsize=8)
