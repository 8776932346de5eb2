"""The comparison of systems as a document: how fast one is against another, on matched points only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from saih.domain.comparison import Comparison, MatchedPoint, Pair
from saih.domain.quantity import counted, factor
from saih.domain.system import System
from saih.reports.claims_file import ClaimsFile, encode
from saih.reports.comparison_curves import curve_blocks
from saih.reports.comparison_differences import difference_blocks
from saih.reports.comparison_method import HOW_TO_CHECK, notes_on
from saih.reports.comparison_tables import matrix_table, points_table, views_table
from saih.reports.comparison_words import NAME, matching_words, names, pair_claims, verdict
from saih.reports.document import (
    Block,
    Bullets,
    Card,
    Cards,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    write,
)
from saih.reports.evidence import claims_of, with_evidence
from saih.reports.label import shortened
from saih.reports.ratio_figure import ratio_figure
from saih.reports.rung_labels import matched_apart

_POINTS_ON_PAGE = 12
_MOST_PAIRS = 10
"""Pairs that get pages of their own; of more systems, those with the first one."""
_NO_DIGESTS: Mapping[str, str] = MappingProxyType({})


def write_comparison(comparison: Comparison, path: Path) -> Path:
    """Write the PDF of ``comparison`` to ``path``, replacing it as a whole; gives ``path``.

    The same comparison gives the same bytes.

    Raises:
        SaihError: when the file cannot be written.
    """
    document = comparison_document(comparison)
    return write(document, path, encode(comparison_file(comparison, document)))


def comparison_file(
    comparison: Comparison, document: Document, records: Mapping[str, str] = _NO_DIGESTS
) -> ClaimsFile:
    """What the report says; ``records`` holds digests by ``record_id@SYSTEM``."""
    return ClaimsFile(
        kind="comparison",
        sweep=" and ".join(system.name for system in comparison.systems),
        environment_id=" and ".join(system.environment_id for system in comparison.systems),
        claims=claims_of(document),
        records=records,
    )


def comparison_document(comparison: Comparison) -> Document:
    """The content: verdicts first, then for each pair its ratios, curves, differences and numbers."""
    told = " against ".join(shortened(system.name, NAME) for system in comparison.systems[:3])
    more = len(comparison.systems) - 3
    pairs = _told_pairs(comparison)
    document = Document(
        title=f"AI performance: {told}{f' and {more} more' if more > 0 else ''}",
        subtitle=f"{matching_words(comparison.matching)}. Ratios above 1: the first system is faster.",
        description=verdict(comparison.pairs[0]),
        sections=(
            _summary(comparison, pairs),
            *(_pair_section(pair) for pair in pairs[1:]),
            *(section for pair in pairs for section in _along(pair, comparison, is_alone=len(pairs) == 1)),
            _reading(comparison),
            *(_numbers(pair, is_alone=len(pairs) == 1) for pair in pairs if pair.matched),
        ),
    )
    return with_evidence(document, HOW_TO_CHECK)


def _told_pairs(comparison: Comparison) -> tuple[Pair, ...]:
    if len(comparison.pairs) <= _MOST_PAIRS:
        return comparison.pairs
    first = comparison.systems[0].name
    return tuple(pair for pair in comparison.pairs if pair.name_a == first)


def _summary(comparison: Comparison, pairs: Sequence[Pair]) -> Section:
    """One page: the verdict, the ratios and the views of the first pair; all pairs where there are more."""
    blocks: list[Block] = [Paragraph(text=_missing(system), tone="loud") for system in _empty(comparison)]
    blocks.append(Paragraph(text=verdict(pairs[0]), tone="loud"))
    if len(comparison.pairs) > 1:
        blocks += [Heading(text="Each against each"), matrix_table(comparison)]
        blocks.append(Heading(text=" against ".join(names(pairs[0]))))
    return Section(title="Summary", blocks=(*blocks, *_pair_blocks(pairs[0])))


def _empty(comparison: Comparison) -> list[System]:
    return [system for system in comparison.systems if not system.points]


def _missing(system: System) -> str:
    failed = f", and {counted(len(system.failed), 'point')} that failed" if system.failed else ""
    return f"{shortened(system.name, NAME)} has no measured point{failed}: nothing can be compared with it."


def _pair_section(pair: Pair) -> Section:
    title = " against ".join(names(pair))
    return Section(title=title, blocks=(Paragraph(text=verdict(pair), tone="loud"), *_pair_blocks(pair)))


def _pair_blocks(pair: Pair) -> tuple[Block, ...]:
    told, shared = matched_apart(pair)
    findings = pair_claims(pair)
    if not pair.matched:
        return (Bullets(items=findings), *_alone(pair))
    return (
        Cards(cards=_cards(pair)),
        Heading(text="Findings"),
        Bullets(items=findings),
        Heading(text="Ratios at the matched points"),
        _ratios(told, shared),
        Heading(text="Seen from the system, the node, the GPU, the rank, the joule, the peak and the price"),
        views_table(pair),
    )


def _alone(pair: Pair) -> tuple[Block, ...]:
    """What stands in the way of a match, right below the verdict that there is none."""
    if not pair.near_misses:
        return ()
    texts = tuple(shortened(text, 300) for text in pair.near_misses)
    return (Heading(text="What stands in the way"), Bullets(items=texts))


def _along(pair: Pair, comparison: Comparison, *, is_alone: bool) -> tuple[Section, ...]:
    """The curves of a pair, and what is not the same on both sides."""
    of = _of(pair, is_alone=is_alone)
    curves = curve_blocks(pair)
    differences = difference_blocks(pair, comparison.systems)
    return (
        *((Section(title=f"Along the axes{of}", blocks=curves, is_short=True),) if curves else ()),
        Section(title=f"What differs{of}", blocks=differences, is_short=True),
    )


def _numbers(pair: Pair, *, is_alone: bool) -> Section:
    told, shared = matched_apart(pair)
    said = (Paragraph(text=_same(shared), tone="small"),) if shared else ()
    title = f"Matched points in numbers{_of(pair, is_alone=is_alone)}"
    return Section(title=title, blocks=(*said, points_table(told)), is_landscape=True)


def _of(pair: Pair, *, is_alone: bool) -> str:
    return "" if is_alone else f": {' against '.join(names(pair))}"


def _cards(pair: Pair) -> tuple[Card, ...]:
    mean = pair.geometric_mean
    faster = sum(point.is_different and point.speed_ratio.value > 1 for point in pair.matched)
    slower = sum(point.is_different and point.speed_ratio.value < 1 for point in pair.matched)
    same = len(pair.matched) - faster - slower
    return (
        Card(
            label="geometric mean of speed ratios",
            value=factor(mean).partition(" ")[0] if mean else "unknown",
            note=f"interval {factor(mean).partition(' ')[2]}" if mean else "",
        ),
        Card(
            label="faster / not told apart / slower",
            value=f"{faster} / {same} / {slower}",
            note=f"of {counted(len(pair.matched), 'matched point')}",
        ),
        Card(
            label="points that only one has",
            value=str(len(pair.only_a) + len(pair.only_b)),
            note="left out of every number",
        ),
    )


def _ratios(pair: Pair, shared: Sequence[str]) -> Picture:
    """The figure; of many points the most different ones, so that the page stays one page."""
    shown = _most_telling(pair.matched)
    left_out = len(pair.matched) - len(shown)
    more = f" The {left_out} points nearest to equal speed are only in the table." if left_out else ""
    mean = pair.geometric_mean
    return Picture(
        svg=ratio_figure(
            shown, (mean, pair.is_different) if mean is not None else None, pair.name_a, pair.name_b
        ),
        alt=f"Speed ratio with its interval for {counted(len(shown), 'matched point')}. {verdict(pair)}",
        caption="Speed ratio with its 95 % interval, noise from run to run included, at each matched point; "
        "a triangle points to the faster side, a grey circle is not told apart once all questions share one "
        f"error rate of 5 %.{more}{' ' + _same(shared) if shared else ''}",
    )


def _same(shared: Sequence[str]) -> str:
    return f"Same at all points: {', '.join(shortened(part, NAME) for part in shared)}."


def _most_telling(matched: Sequence[MatchedPoint]) -> tuple[MatchedPoint, ...]:
    if len(matched) <= _POINTS_ON_PAGE:
        return tuple(matched)
    distance = {id(one): max(one.speed_ratio.value, 1 / one.speed_ratio.value) for one in matched}
    kept = {id(one) for one in sorted(matched, key=lambda one: -distance[id(one)])[:_POINTS_ON_PAGE]}
    return tuple(one for one in matched if id(one) in kept)


def _reading(comparison: Comparison) -> Section:
    matched = (
        f"{matching_words(comparison.matching)}. A point that one system lacks takes no part in any number."
    )
    return Section(
        title="How to read this",
        blocks=(Bullets(items=(matched, *notes_on(comparison.num_tests))),),
        is_short=True,
    )
