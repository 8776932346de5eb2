"""One roofline for many placements of a device: rates of one rank, under the ceilings of one rank."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.trend import PointSummary
from saih.reports.figure import colour_of, drawn, log_axis, marked, marker_of, marker_size_of, note
from saih.reports.fitted import fitted

_WIDTH_MM, _HEIGHT_MM = 176.0, 104.0
_FRAME = (0.095, 0.11, 0.635, 0.86)
_NAME_MM = 37.0
"""Room for a name beside the axes."""
_INK = "#333333"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """The points of one placement, and its ceilings over all of its ranks."""

    name: str
    points: tuple[PointSummary, ...]
    ceilings: Ceilings
    precision: str

    @property
    def num_ranks(self) -> int:
        """Ranks that its rates are summed over."""
        return self.points[0].point.placement.num_ranks


def device_roofline_figure(placed: Sequence[Placed]) -> str:
    """SVG of every point by its placement's colour and marker; ceilings per rank as bands over placements."""

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(_FRAME)
        axes.set_xlabel("arithmetic intensity [FLOP/byte]")
        axes.set_ylabel("rate of one rank (mean) [FLOP/s]")
        roofs, vendors, slopes = _peaks(placed), _vendors(placed), _slopes(placed)
        rates = [rate.value for one in placed for _, rate in _rates(one)] + roofs + vendors
        xs = [intensity for one in placed for intensity, _ in _rates(one)]
        if not rates or not xs:
            note(axes, "no point and no arithmetic ceiling to show")
            return
        if roofs and slopes:
            ridge = max(roofs) / max(slopes)
            xs += [ridge / 4, ridge * 4]
        log_axis(axes, "x", xs)
        log_axis(axes, "y", rates)
        _paint_ceilings(axes, roofs, vendors, slopes)
        for index, one in enumerate(placed):
            marked(axes, [x for x, _ in _rates(one)], [rate for _, rate in _rates(one)], index)
        _legend(axes, placed, has_vendor=bool(vendors))

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _rates(one: Placed) -> list[tuple[float, Interval]]:
    return [
        (point.flops_per_byte, point.flops_per_s.scaled(1 / one.num_ranks))
        for point in one.points
        if point.flops_per_byte > 0 and point.flops_per_s.low > 0
    ]


def _peaks(placed: Sequence[Placed]) -> list[float]:
    found = ((one, one.ceilings.peak_flops_per_s(one.precision)) for one in placed)
    return [peak.value / one.num_ranks for one, peak in found if peak is not None]


def _vendors(placed: Sequence[Placed]) -> list[float]:
    found = ((one, one.ceilings.vendor_flops_per_s.get(one.precision)) for one in placed)
    return [vendor / one.num_ranks for one, vendor in found if vendor]


def _slopes(placed: Sequence[Placed]) -> list[float]:
    """Main memory: the largest working set, which no cache holds."""
    found = ((one, one.ceilings.curve(CeilingKind.MEMORY)) for one in placed)
    return [curve.rates[-1].value / one.num_ranks for one, curve in found if curve is not None]


def _paint_ceilings(
    axes: Axes, roofs: Sequence[float], vendors: Sequence[float], slopes: Sequence[float]
) -> None:
    """A band from the placement with the lowest ceiling per rank to that with the highest."""
    left, right = axes.get_xlim()
    if slopes:
        top = max([*roofs, *vendors], default=axes.get_ylim()[1])
        ends = [left, min(top / min(slopes), right)]
        axes.fill_between(
            ends, [x * min(slopes) for x in ends], [x * max(slopes) for x in ends], color=_INK, alpha=0.15,
            linewidth=0,
        )  # fmt: skip
        axes.plot(ends, [x * max(slopes) for x in ends], color=_INK, linewidth=1.3)
    start = max(left, max(roofs) / max(slopes)) if roofs and slopes else left
    if roofs:
        axes.plot([start, right], [max(roofs)] * 2, color=_INK, linewidth=1.1)
        axes.fill_between([start, right], min(roofs), max(roofs), color=_INK, alpha=0.15, linewidth=0)
    if vendors:
        axes.plot([start, right], [max(vendors)] * 2, color=_INK, linewidth=1.1, linestyle=":")


def _legend(axes: Axes, placed: Sequence[Placed], *, has_vendor: bool) -> None:
    handles = [
        Line2D(
            [], [], marker=marker_of(index), color=colour_of(index), linestyle="none",
            markeredgecolor="white", markersize=marker_size_of(index), label=fitted(one.name, _NAME_MM, 6.8),
        )
        for index, one in enumerate(placed)
    ]  # fmt: skip
    handles.append(Line2D([], [], color=_INK, linewidth=1.1, label="measured ceilings"))
    if has_vendor:
        handles.append(Line2D([], [], color=_INK, linewidth=1.1, linestyle=":", label="vendor's peak"))
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=6.8,
        handletextpad=0.5, borderaxespad=0, handlelength=1.6,
    )  # fmt: skip
