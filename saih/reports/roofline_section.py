"""The section on ceilings: a roofline with the points, and what was measured to draw it."""

from collections.abc import Iterator, Sequence

from saih.domain.ceiling import Ceilings, contended_cores
from saih.domain.quantity import counted
from saih.domain.trend import Analysis
from saih.reports.ceiling_curves_figure import ceiling_curves_figure
from saih.reports.ceilings_table import ceilings_table, message_laws_table, placements_table
from saih.reports.device_roofline_figure import Placed, device_roofline_figure
from saih.reports.document import Block, Heading, Paragraph, Picture, Section, section_or
from saih.reports.label import shortened
from saih.reports.roofline_figure import roofline_figure
from saih.reports.setting import placement_names
from saih.reports.stack_figure import NumberedPoint
from saih.reports.thinned import thinned, thinned_words

_MOST_WHOLE = 2
"""Placements that get a figure each; more share one for each device."""
_MOST_COLOURS = 12
_TITLE = "Roofline and ceilings"


def roofline_section(analysis: Analysis, points: Sequence[NumberedPoint]) -> Section:
    """Points under the ceilings of their placement, then the ceilings."""
    if len(analysis.ceilings) > _MOST_WHOLE:
        return Section(title=_TITLE, blocks=tuple(_devices(analysis)))
    blocks: list[Block] = []
    for ceilings in analysis.ceilings:
        blocks += _placement(ceilings, points)
    words = "No ceiling was measured, so there is no roofline, and no point has a share of peak."
    return section_or(_TITLE, blocks, words)


def _placement(ceilings: Ceilings, points: Sequence[NumberedPoint]) -> list[Block]:
    blocks: list[Block] = [Heading(text=ceilings.placement_label)]
    here = [
        point for point in points if point.summary.point.placement.seats_label == ceilings.placement_label
    ]
    for precision in sorted({point.summary.precision for point in here}) or ["float32"]:
        shown = [point for point in here if point.summary.precision == precision]
        caption = (
            f"{counted(len(shown), 'point')} ({precision}) with 95 % intervals under the ceilings "
            "measured at the same placement (grey bands: intervals). Intensity counts the least "
            "traffic to memory."
        )
        alt = f"Roofline with {counted(len(shown), 'point')}."
        blocks.append(Picture(svg=roofline_figure(shown, ceilings, precision), alt=alt, caption=caption))
    blocks += _ceilings(ceilings, here[0].summary.precision if here else "float32")
    return blocks


def _ceilings(ceilings: Ceilings, precision: str) -> list[Block]:
    """Curves, tables, and what is to be known of them."""
    blocks: list[Block] = [Heading(text="Ceilings")]
    svg = ceiling_curves_figure(ceilings, precision)
    if svg is not None:
        caption = "Every measured size with its 95 % interval, over all ranks of the placement."
        blocks.append(Picture(svg=svg, alt="Ceilings as curves over the size of the work.", caption=caption))
    blocks.append(ceilings_table(ceilings))
    laws = message_laws_table(ceilings)
    if laws is not None:
        blocks.append(laws)
    blocks.append(Paragraph(text=" ".join(_remarks(ceilings)), tone="small"))
    return blocks


def _remarks(ceilings: Ceilings) -> Iterator[str]:
    yield f"Measured {shortened(ceilings.measured_utc, 40)}."
    if cores := contended_cores(ceilings):
        yield f"Cores {', '.join(map(str, cores))} were used by others meanwhile, or are slower."
    for name, reason in ceilings.absent.items():
        yield f"Absent: {shortened(name.replace('_', ' '), 60)} ({shortened(reason, 120)})."
    for old in ceilings.superseded:
        if old.until_utc is not None:
            yield f"Until {shortened(old.until_utc, 40)} others held ({shortened(old.reason, 200)})."


def _devices(analysis: Analysis) -> list[Block]:
    """One figure for each device and precision, its placements as colours; all ceilings as one table."""
    blocks: list[Block] = []
    precisions = sorted({point.precision for point in analysis.points}) or ["float32"]
    for device in sorted({point.point.placement.device for point in analysis.points}):
        for precision in precisions:
            known = _placed(analysis, device, precision)
            shown = thinned(known, _MOST_COLOURS)
            if not shown:
                continue
            num_points = sum(len(one.points) for one in shown)
            left_out = thinned_words(len(shown), len(known), "placement")
            caption = (
                f"{counted(num_points, 'point')} ({precision}, {device}) on "
                f"{counted(len(shown), 'placement')}, each with its 95 % interval; rates and ceilings "
                "are divided by the ranks that share them. Grey bands: from the lowest ceiling of a placement"
                " to the highest, per rank. Intensity counts the least traffic to memory."
                f"{f' {left_out}.' if left_out else ''}"
            )
            alt = f"Roofline of one rank with {counted(num_points, 'point')}."
            blocks.append(Picture(svg=device_roofline_figure(shown), alt=alt, caption=caption))
    blocks += [Heading(text="Ceilings over all ranks"), placements_table(analysis.ceilings, precisions)]
    moments = sorted(shortened(ceilings.measured_utc, 40) for ceilings in analysis.ceilings)
    blocks.append(Paragraph(text=f"Measured {moments[0]} to {moments[-1]}.", tone="small"))
    return blocks


def _placed(analysis: Analysis, device: str, precision: str) -> list[Placed]:
    ceilings = {found.placement_label: found for found in analysis.ceilings}
    placements = {point.point.placement.seats_label: point.point.placement.seats for point in analysis.points}
    names = placement_names(tuple(placements.values()))
    placed = []
    for label in placements:
        here = tuple(
            point
            for point in analysis.points
            if point.point.placement.seats_label == label
            and point.point.placement.device == device
            and point.precision == precision
        )
        if here and label in ceilings:
            own = ceilings[label]
            placed.append(Placed(name=names[label], points=here, ceilings=own, precision=precision))
    return placed
