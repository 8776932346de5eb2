"""The comparison of two systems as PDF: how fast one is against the other, on matched points only."""

from collections.abc import Sequence
from pathlib import Path

from saih.domain.quantity import counted, duration, factor, percent, share
from saih.domain.trend import Comparison, MatchedPoint
from saih.reports.document import (
    Block,
    Bullets,
    Card,
    Cards,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
    write,
)
from saih.reports.label import shortened
from saih.reports.ratio_figure import matched_words, ratio_figure
from saih.reports.rung_labels import matched_apart

_NAME = 60
_POINTS_ON_PAGE = 16
_NOTES = (
    (
        "Only points that ask the same are matched: problem, batch, precision, exchange and shape of the "
        "placement."
    ),
    (
        "A point that one system lacks takes no part in the mean. A ratio whose interval holds 1 is no "
        "difference."
    ),
    "A ratio says nothing of why: see the report of each system. Two runs of one system differ too.",
)


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the PDF of ``comparison`` to ``path``, replacing it as a whole; gives ``path``.

    The same comparison gives the same bytes.

    Raises:
        SaihError: when the file cannot be written.
    """
    return write(comparison_document(comparison), path)


def comparison_document(comparison: Comparison) -> Document:
    """The content: a verdict, the ratios, what differs, and the numbers of each matched point."""
    comparison, shared = matched_apart(comparison)
    names = f"{shortened(comparison.name_a, _NAME)} against {shortened(comparison.name_b, _NAME)}"
    return Document(
        title=f"AI performance: {names}",
        subtitle=f"Speed ratios above 1 mean that {shortened(comparison.name_a, _NAME)} is faster.",
        description=verdict(comparison),
        sections=(_summary(comparison, shared),),
    )


def verdict(comparison: Comparison) -> str:
    """The comparison in one sentence."""
    mean = comparison.geometric_mean
    names = shortened(comparison.name_a, _NAME), shortened(comparison.name_b, _NAME)
    if not comparison.matched or mean is None:
        return (
            f"Nothing matched: no point was measured on both {names[0]} and {names[1]}, so their speed "
            "cannot be compared."
        )
    word = "neither clearly faster nor slower"
    if mean.low > 1 or mean.high < 1:
        word = "faster" if mean.low > 1 else "slower"
    num_matched = counted(len(comparison.matched), "matched point")
    basis = f"geometric mean of {num_matched}, {percent(mean.level)} interval"
    return f"{names[0]} is {word}: {factor(mean)} the speed of {names[1]} ({basis})."


def _summary(comparison: Comparison, shared: Sequence[str]) -> Section:
    blocks: list[Block] = [Paragraph(text=verdict(comparison), tone="loud")]
    if comparison.matched:
        blocks.append(Cards(cards=_cards(comparison)))
        blocks.append(_ratios(comparison, shared))
    blocks += [Heading(text="What differs between the systems"), _differences(comparison)]
    unmatched = _unmatched(comparison)
    if unmatched:
        blocks += [Heading(text="Points that only one system has"), Bullets(items=unmatched)]
    blocks += [Heading(text="How to read this"), Bullets(items=_NOTES)]
    if comparison.matched:
        blocks += [Heading(text="Matched points in numbers"), _numbers(comparison)]
    return Section(title="Summary", blocks=tuple(blocks))


def _cards(comparison: Comparison) -> tuple[Card, ...]:
    mean = comparison.geometric_mean
    faster = sum(point.is_different and point.speed_ratio.value > 1 for point in comparison.matched)
    slower = sum(point.is_different and point.speed_ratio.value < 1 for point in comparison.matched)
    same = len(comparison.matched) - faster - slower
    return (
        Card(
            label="geometric mean of speed ratios",
            value=factor(mean).partition(" ")[0] if mean else "unknown",
            note=f"interval {factor(mean).partition(' ')[2]}" if mean else "",
        ),
        Card(
            label="faster / same / slower",
            value=f"{faster} / {same} / {slower}",
            note=f"of {counted(len(comparison.matched), 'matched point')}",
        ),
        Card(
            label="points that only one has",
            value=str(len(comparison.only_a) + len(comparison.only_b)),
            note="left out of every number",
        ),
    )


def _ratios(comparison: Comparison, shared: Sequence[str]) -> Picture:
    """The figure; of many points the most different ones, so that the page stays one page."""
    shown = _most_telling(comparison.matched)
    left_out = len(comparison.matched) - len(shown)
    more = f" The {left_out} points nearest to equal speed are only in the table." if left_out else ""
    if shared:
        more += f" Same at all points: {', '.join(shortened(part, _NAME) for part in shared)}."
    return Picture(
        svg=ratio_figure(shown, comparison.geometric_mean, comparison.name_a, comparison.name_b),
        alt=f"Speed ratio with its interval for {counted(len(shown), 'matched point')}. "
        f"{verdict(comparison)}",
        caption="Speed ratio with its 95 % interval at each matched point; a triangle points to the "
        "faster side, a grey circle means no clear difference. Counts of steps are in the "
        f"table.{more}",
    )


def _most_telling(matched: Sequence[MatchedPoint]) -> tuple[MatchedPoint, ...]:
    if len(matched) <= _POINTS_ON_PAGE:
        return tuple(matched)
    distance = {
        id(point): max(point.speed_ratio.value, 1 / max(point.speed_ratio.value, 1e-12)) for point in matched
    }
    kept = {id(point) for point in sorted(matched, key=lambda point: -distance[id(point)])[:_POINTS_ON_PAGE]}
    return tuple(point for point in matched if id(point) in kept)


def _differences(comparison: Comparison) -> Block:
    if comparison.differences:
        return Bullets(items=tuple(shortened(text, 240) for text in comparison.differences))
    return Paragraph(text="No recorded fact differs between the two environments.")


def _unmatched(comparison: Comparison) -> tuple[str, ...]:
    sides = ((comparison.name_a, comparison.only_a), (comparison.name_b, comparison.only_b))
    return tuple(_only(name, labels) for name, labels in sides if labels)


def _only(name: str, labels: Sequence[str]) -> str:
    listed = "; ".join(shortened(label, _NAME) for label in labels[:8])
    more = f"; and {len(labels) - 8} more" if len(labels) > 8 else ""
    return f"Only {shortened(name, _NAME)} ({len(labels)}): {listed}{more}."


def _numbers(comparison: Comparison) -> Table:
    """Steps and shares of each matched point, and its ratio where the figure has no room for all."""
    name_a, name_b = shortened(comparison.name_a, 24), shortened(comparison.name_b, 24)
    has_ratio = len(comparison.matched) > _POINTS_ON_PAGE
    ratio_column = (Column(title="speed ratio [interval]", weight=2.1, side="right"),) if has_ratio else ()
    columns = (
        Column(title="point", weight=1.9),
        Column(title=f"median step, {name_a}", weight=2.1, side="right"),
        Column(title=f"median step, {name_b}", weight=2.1, side="right"),
        Column(title="steps of each", weight=1.2, side="right"),
        *ratio_column,
        Column(title=f"share of peak, {name_a}", weight=2.1, side="right"),
        Column(title=f"share of peak, {name_b}", weight=2.1, side="right"),
    )
    rows = tuple(_row(point, has_ratio=has_ratio) for point in comparison.matched)
    return Table(columns=columns, rows=rows, alt="Matched points in numbers")


def _row(point: MatchedPoint, *, has_ratio: bool) -> tuple[str, ...]:
    return (
        shortened(matched_words(point), 2 * _NAME),
        duration(point.step_a_ns),
        duration(point.step_b_ns),
        f"{point.step_a_ns.count}, {point.step_b_ns.count}",
        *((factor(point.speed_ratio),) if has_ratio else ()),
        share(point.share_a) if point.share_a else "no ceiling",
        share(point.share_b) if point.share_b else "no ceiling",
    )
