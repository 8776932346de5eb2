"""The part of a comparison that goes along the axes: ratio curves, crossings, exponents."""

from collections import defaultdict

from saih.domain.comparison import Pair, RatioCurve
from saih.domain.quantity import counted
from saih.reports.comparison_tables import crossings_table, exponents_table
from saih.reports.comparison_words import NAME, crossing_words, names
from saih.reports.document import Block, Heading, Paragraph, Picture
from saih.reports.label import shortened
from saih.reports.ratio_curve_figure import MOST_CURVES, ratio_curve_figure


def curve_blocks(pair: Pair) -> tuple[Block, ...]:
    """Pictures of each axis, then crossings and exponents; nothing where no axis has two matched sizes."""
    by_axis: dict[str, list[RatioCurve]] = defaultdict(list)
    for curve in pair.curves:
        by_axis[curve.axis].append(curve)
    blocks: list[Block] = [_picture(pair, axis, curves) for axis, curves in by_axis.items()]
    crossings, exponents = crossings_table(pair), exponents_table(pair)
    if crossings is not None:
        blocks += [Heading(text="Crossings"), crossings]
    elif blocks:
        blocks.append(Paragraph(text="No crossing is told along any axis.", tone="small"))
    if exponents is not None:
        blocks += [Heading(text="Growth of the time per sample with size: exponents"), exponents]
    elif blocks:
        blocks.append(
            Paragraph(text="No exponents: they need three matched sizes along one axis.", tone="small")
        )
    return tuple(blocks)


def _picture(pair: Pair, axis: str, curves: list[RatioCurve]) -> Picture:
    """The longest curves, those with a crossing first, in the order of the points."""
    telling = sorted(curves, key=lambda curve: (-len(curve.crossings), -len(curve.points)))[:MOST_CURVES]
    shown = [curve for curve in curves if curve in telling]
    left_out = len(curves) - len(shown)
    more = f" {counted(left_out, 'more curve')} along this axis: see the tables." if left_out else ""
    return Picture(
        svg=ratio_curve_figure(shown, _labels(shown), pair.name_a, pair.name_b),
        alt=f"Ratio of the speeds of {' over '.join(names(pair))} along {axis}. "
        + " ".join(f"{shortened(one.fixed, NAME)}: {crossing_words(pair, one)}." for one in shown),
        caption=f"Along {axis}: speed ratio at the matched points with its 95 % interval; line and band: "
        "ratio of the laws fitted to both, dashed where extrapolated. A thick bar on the line of equal "
        f"speed holds the crossing.{more}",
    )


def _labels(curves: list[RatioCurve]) -> list[str]:
    """What each curve holds fixed, without the parts that all share."""
    parts = [curve.fixed.split(", ") for curve in curves]
    shared = set(parts[0]).intersection(*parts[1:]) if len(parts) > 1 else set()
    return [", ".join(part for part in one if part not in shared) or "all" for one in parts]
