"""The part of a comparison that says what is not the same, and what takes no part."""

from collections.abc import Iterable, Sequence

from saih.domain.comparison import Pair
from saih.domain.system import System
from saih.reports.comparison_words import NAME, caution_words, names
from saih.reports.document import Block, Bullets, Heading, Paragraph
from saih.reports.label import shortened

_LONG = 300
_MOST_LISTED = 8


def difference_blocks(pair: Pair, systems: Sequence[System]) -> tuple[Block, ...]:
    """Facts that differ, cautions of both systems, and points that are left out, with the reason."""
    sides = [system for system in systems if system.name in (pair.name_a, pair.name_b)]
    blocks: list[Block] = [Heading(text="Between the systems"), _listed(pair.differences, _NO_DIFFERENCE)]
    at_points = tuple(dict.fromkeys(text for point in pair.matched for text in point.differs))
    if at_points:
        blocks += [Heading(text="At single points"), _listed(at_points, "")]
    for title, texts in (
        ("What to know before comparing", caution_words(sides)),
        ("Points that would match but for something", pair.near_misses),
        ("Points that only one system has", tuple(_only(pair))),
        ("Points without a number", tuple(_failed(sides))),
    ):
        if texts:
            blocks += [Heading(text=title), _listed(texts, "")]
    return tuple(blocks)


_NO_DIFFERENCE = "No recorded fact differs between the two environments."


def _listed(texts: Sequence[str], otherwise: str) -> Block:
    if not texts:
        return Paragraph(text=otherwise)
    shown = tuple(shortened(text, _LONG) for text in texts[: 3 * _MOST_LISTED])
    left_out = len(texts) - len(shown)
    return Bullets(items=(*shown, f"and {left_out} more.") if left_out else shown)


def _only(pair: Pair) -> Iterable[str]:
    for name, labels in zip(names(pair), (pair.only_a, pair.only_b), strict=True):
        if labels:
            listed = "; ".join(shortened(label, NAME) for label in labels[:_MOST_LISTED])
            more = f"; and {len(labels) - _MOST_LISTED} more" if len(labels) > _MOST_LISTED else ""
            yield f"Only {name} ({len(labels)}): {listed}{more}."


def _failed(systems: Iterable[System]) -> Iterable[str]:
    return (f"{shortened(one.name, NAME)}: {text}" for one in systems for text in one.failed)
