"""The blocks of a document as HTML: one element for each, every text escaped, nothing styled in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import assert_never

from saih.domain.claim import Claim
from saih.reports.document import (
    Block,
    Bullets,
    Cards,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
    sentence_of,
)
from saih.reports.html_picture import inline_picture
from saih.reports.label import plain

_WIDE = 1.3
_WIDEST = 3.0


def text(words: str) -> str:
    """``words`` as they are shown: on one line, without controls, inert."""
    return escape(plain(words))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a block stands: what its ids begin with, and the number of the evidence of each claim."""

    anchor: str
    """The id of a heading there."""
    prefix: str
    """Begins the ids inside a figure."""
    evidence: Mapping[str, int]


def evidence_numbers(sections: Sequence[Section]) -> dict[str, int]:
    """The number of each claim that a table tells of; sentences are linked to its row."""
    tables = [block for section in sections for block in section.blocks if isinstance(block, Table)]
    claim_ids = dict.fromkeys(claim_id for table in tables for claim_id in table.anchors)
    return {claim_id: number for number, claim_id in enumerate(claim_ids, start=1)}


def section_html(section: Section, anchor: str, number: int, evidence: Mapping[str, int]) -> str:
    """The section under its heading; ids begin with ``anchor``, those inside figures with ``number``."""
    blocks = [
        block_html(block, Place(anchor=f"{anchor}-{index}", prefix=f"f{number}-{index}-", evidence=evidence))
        for index, block in enumerate(section.blocks)
    ]
    heading = f'<h2 id="{anchor}" dir="auto">{text(section.title)}</h2>'
    return f'<section aria-labelledby="{anchor}">\n{heading}\n' + "\n".join(blocks) + "\n</section>"


def block_html(block: Block, place: Place) -> str:
    """One block."""
    match block:
        case Heading():
            return f'<h3 id="{place.anchor}" dir="auto">{text(block.text)}</h3>'
        case Paragraph():
            return f'<p class="{block.tone}" dir="auto">{text(block.text)}</p>'
        case Bullets():
            items = "\n".join(_item(item, place.evidence) for item in block.items)
            return f"<ul>\n{items}\n</ul>"
        case Cards():
            return _cards(block)
        case Picture():
            return _picture(block, place.prefix)
        case Table():
            return _table(block, place.evidence)
        case _:
            assert_never(block)


def _item(item: str | Claim, evidence: Mapping[str, int]) -> str:
    number = evidence.get(item.claim_id, 0) if isinstance(item, Claim) else 0
    title = f'title="Evidence {number}: the records and the law behind this"'
    link = f'&nbsp;<sup><a href="#claim-{number}" {title}>{number}</a></sup>' if number else ""
    return f'<li dir="auto">{text(sentence_of(item))}{link}</li>'


def _cards(block: Cards) -> str:
    cards = [
        f'<div class="card"><dt>{text(card.label)}</dt><dd class="value" dir="auto">{text(card.value)}</dd>'
        f'<dd class="quiet" dir="auto">{text(card.note)}</dd></div>'
        for card in block.cards
    ]
    return '<dl class="cards">\n' + "\n".join(cards) + "\n</dl>"


def _picture(block: Picture, prefix: str) -> str:
    svg = inline_picture(block.svg, prefix, plain(block.alt))
    caption = f'<figcaption dir="auto">{text(block.caption)}</figcaption>' if block.caption else ""
    name = escape(plain(block.alt))
    return (
        f'<figure><div class="paper" tabindex="0" role="group" aria-label="{name}">{svg}</div>'
        f"{caption}</figure>"
    )


def _table(block: Table, evidence: Mapping[str, int]) -> str:
    classes = [_column_class(column.side, column.weight) for column in block.columns]
    head = "".join(
        f'<th scope="col"{kind}>{text(column.title)}</th>'
        for column, kind in zip(block.columns, classes, strict=True)
    )
    names = [f' id="claim-{evidence[claim_id]}"' for claim_id in block.anchors] or [""] * len(block.rows)
    body = "\n".join(_row(row, classes, name) for row, name in zip(block.rows, names, strict=True))
    alt = text(block.alt)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{alt}"><table>\n'
        f"<caption>{alt}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(row: Sequence[str], classes: Sequence[str], name: str) -> str:
    cells = (
        f'<td{kind} dir="auto">{text(cell)}</td>' if cell else f"<td{kind}></td>"
        for cell, kind in zip(row, classes, strict=True)
    )
    return f"<tr{name}>{''.join(cells)}</tr>"


def _column_class(side: str, weight: float) -> str:
    names = ["num"] if side == "right" else []
    names += ["widest"] if weight >= _WIDEST else ["wider"] if weight >= _WIDE else []
    return f' class="{" ".join(names)}"' if names else ""
