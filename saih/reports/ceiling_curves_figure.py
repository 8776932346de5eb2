"""Ceilings as curves: a small panel for each kind of work, every measured size with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.quantity import with_si_short
from saih.reports.figure import colour_of, drawn, log_axis, marked, marker_of, marker_size_of
from saih.reports.fitted import fitted
from saih.reports.panels import WIDTH_MM, Panels

_COLUMNS, _PANEL_MM = 4, 28.0
_LEGEND_ROW_MM, _MOST_LINES = 2.9, 8
_LEGEND_FROM_MM = 8.5
"""Below the axes: ticks and the name of the abscissa stand above the legend."""
_TEXT = 6.0
_MOST_TICKS = 4
_FEW_DECADES = 20.0
"""A range below this has ticks at 2 and 5 as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Curves that share a panel."""

    title: str
    abscissa: str
    kinds: tuple[CeilingKind, ...]
    unit: str = ""
    """Of the ticks of the ordinate, where the title does not tell it."""


_MESSAGES = (CeilingKind.ALL_GATHER, CeilingKind.REDUCE_SCATTER, CeilingKind.SEND)
_CONVOLUTIONS = (
    CeilingKind.CONVOLUTION_FORWARD,
    CeilingKind.CONVOLUTION_BACKWARD,
    CeilingKind.CONVOLUTION_BACKWARD_WEIGHT,
    CeilingKind.CONVOLUTION_BACKWARD_INPUT,
)
_MEMORY = (
    CeilingKind.MEMORY,
    CeilingKind.MEMORY_COPY,
    CeilingKind.MEMORY_SCALE,
    CeilingKind.MEMORY_ADD,
)
_COPIES = (CeilingKind.HOST_TO_DEVICE, CeilingKind.DEVICE_TO_HOST)
_GROUPS = (
    _Group(title="matrix products [FLOP/s]", abscissa="side", kinds=(CeilingKind.GEMM,)),
    _Group(title="convolutions [FLOP/s]", abscissa="channels", kinds=_CONVOLUTIONS),
    _Group(title="memory [B/s]", abscissa="working set of a rank [B]", kinds=_MEMORY),
    _Group(title="host and device [B/s]", abscissa="copy [B]", kinds=_COPIES),
    _Group(title="all-reduce", abscissa="message [B]", kinds=(CeilingKind.ALL_REDUCE,), unit="s"),
    _Group(title="other messages", abscissa="message [B]", kinds=_MESSAGES, unit="s"),
    _Group(title="storage, cache warm [B/s]", abscissa="read [B]", kinds=(CeilingKind.STORAGE_READ,)),
    _Group(title="storage, cache cold [B/s]", abscissa="read [B]", kinds=(CeilingKind.STORAGE_COLD,)),
    _Group(title="decoding [B/s]", abscissa="sample [B]", kinds=(CeilingKind.DECODE,)),
)
_NAMES = {
    CeilingKind.GEMM: "product",
    CeilingKind.CONVOLUTION_FORWARD: "forward",
    CeilingKind.CONVOLUTION_BACKWARD: "backward, both gradients",
    CeilingKind.CONVOLUTION_BACKWARD_WEIGHT: "backward, weights",
    CeilingKind.CONVOLUTION_BACKWARD_INPUT: "backward, input",
    CeilingKind.MEMORY: "triad",
    CeilingKind.MEMORY_COPY: "copy",
    CeilingKind.MEMORY_SCALE: "scale",
    CeilingKind.MEMORY_ADD: "add",
    CeilingKind.HOST_TO_DEVICE: "to the device",
    CeilingKind.DEVICE_TO_HOST: "to the host",
    CeilingKind.ALL_GATHER: "all-gather",
    CeilingKind.REDUCE_SCATTER: "reduce-scatter",
    CeilingKind.SEND: "send",
}


def ceiling_curves_figure(ceilings: Ceilings, precision: str) -> str | None:
    """SVG of the curves of one placement in double logarithmic panels; None where none can be drawn."""
    panels = [(group, curves) for group in _GROUPS if (curves := _curves(ceilings, group, precision))]
    if not panels:
        return None
    most = max(len(curves) for _, curves in panels)
    place = Panels(
        count=len(panels),
        columns=_COLUMNS,
        panel_mm=_PANEL_MM,
        left_mm=10.0,
        gap_mm=10.0,
        below_mm=_LEGEND_FROM_MM + most * _LEGEND_ROW_MM + 2.0,
        foot_mm=0.0,
    )

    def paint(figure: Figure) -> None:
        for index, (group, curves) in enumerate(panels):
            _panel(place.axes(figure, index), group, curves, place.panel_width_mm)

    return drawn(WIDTH_MM, place.height_mm, paint)


def _curves(ceilings: Ceilings, group: _Group, precision: str) -> list[Ceiling]:
    """What can stand on logarithmic axes, the first few where there are many."""
    found = [
        curve
        for kind in group.kinds
        for curve in ceilings.curves
        if _kind(curve) is kind and curve.precision in (precision, "") and min(curve.sizes) > 0
        and all(rate.low > 0 for rate in curve.rates)
    ]  # fmt: skip
    return found[:_MOST_LINES]


def _kind(curve: Ceiling) -> CeilingKind:
    """Older files keep cold reads as a second curve of the warm ones."""
    is_cold = curve.kind is CeilingKind.STORAGE_READ and "dropped" in curve.unit
    return CeilingKind.STORAGE_COLD if is_cold else curve.kind


def _panel(axes: Axes, group: _Group, curves: Sequence[Ceiling], width_mm: float) -> None:
    xs = [size for curve in curves for size in curve.sizes]
    ys = [bound for curve in curves for rate in curve.rates for bound in (rate.low, rate.high)]
    log_axis(axes, "x", xs)
    log_axis(axes, "y", ys)
    for index, curve in enumerate(curves):
        values = [rate.value for rate in curve.rates]
        colour = colour_of(index)
        axes.plot(curve.sizes, values, color=colour, linewidth=0.9, zorder=3)
        marked(axes, curve.sizes, curve.rates, index)
        row_mm = _LEGEND_FROM_MM + (index + 0.5) * _LEGEND_ROW_MM
        height = -row_mm / _PANEL_MM
        axes.plot(
            [0.02], [height], marker_of(index), color=colour, markersize=marker_size_of(index) * 0.8,
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        axes.text(
            0.06, height, fitted(_name(curve), width_mm * 0.9, _TEXT), transform=axes.transAxes,
            va="center", fontsize=_TEXT,
        )  # fmt: skip
    for axis, values, unit in ((axes.xaxis, xs, ""), (axes.yaxis, ys, group.unit)):
        is_wide = max(values) > _FEW_DECADES * min(values)
        axis.set_major_locator(LogLocator(subs=(1.0,) if is_wide else (1.0, 2.0, 5.0), numticks=_MOST_TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit: with_si_short(value, unit)))
    axes.set_title(fitted(group.title, width_mm, 7.0), loc="left", fontsize=7.0)
    axes.set_xlabel(group.abscissa, fontsize=6.5, labelpad=1.0)
    axes.tick_params(labelsize=6.0)


def _name(curve: Ceiling) -> str:
    kind = _NAMES.get(curve.kind, "")
    return ", ".join(part for part in (kind, curve.variant) if part) or str(curve.kind).replace("_", " ")
