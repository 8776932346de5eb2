"""Evidence: which sentences of a document are claims, and the section that tells what they rest on."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from saih.domain.claim import Claim
from saih.domain.quantity import counted
from saih.reports.document import Block, Bullets, Card, Cards, Column, Document, Paragraph, Section, Table
from saih.reports.label import plain, shortened

CARD_PREFIX = "card/"
"""Begins the ids of numbers on cards, whose sentence is put together from what a card shows."""
_MOST_LISTED = 6
_LAW = 160
_HOW_TO_CHECK = (
    "The number after a sentence leads to its row. Records are told by the first digits of their point and "
    "by their attempt; they lie below the folder of the results. This report carries all of it in full, with "
    "the SHA-256 of every record: `saih report NAME --check FILE` makes each sentence again from the results "
    "and names those that differ."
)


def claims_of(document: Document) -> tuple[Claim, ...]:
    """Every claim of a document as it is printed: sentences in the order of reading, then cards; each once.

    Of two sentences with one id both are kept: that of the later one gets a number.
    """
    found: dict[str, Claim] = {}
    blocks = [block for section in document.sections for block in section.blocks]
    for claim in (*_sentences(blocks), *_numbers(blocks)):
        _keep(replace(claim, text=plain(claim.text), fit=plain(claim.fit)), found)
    return tuple(found.values())


def with_evidence(document: Document, how_to_check: str = _HOW_TO_CHECK) -> Document:
    """The document with a last section that tells the records and the law behind each claim."""
    claims = claims_of(document)
    return (
        replace(document, sections=(*document.sections, _section(claims, how_to_check)))
        if claims
        else document
    )


def _sentences(blocks: Sequence[Block]) -> Iterator[Claim]:
    for block in blocks:
        if isinstance(block, Bullets):
            yield from (item for item in block.items if isinstance(item, Claim))


def _numbers(blocks: Sequence[Block]) -> Iterator[Claim]:
    for block in blocks:
        if isinstance(block, Cards):
            yield from (claim for card in block.cards if (claim := _claim_of(card)) is not None)


def _claim_of(card: Card) -> Claim | None:
    if not card.claim_id:
        return None
    note = f" ({card.note})" if card.note else ""
    return Claim(
        claim_id=f"{CARD_PREFIX}{card.claim_id}",
        text=f"{card.label}: {card.value}{note}",
        record_ids=card.record_ids,
    )


def _keep(claim: Claim, found: dict[str, Claim]) -> None:
    claim_id, number = claim.claim_id, 1
    while claim_id in found and found[claim_id] != replace(claim, claim_id=claim_id):
        number += 1
        claim_id = f"{claim.claim_id}/{number}"
    found[claim_id] = replace(claim, claim_id=claim_id)


def _section(claims: Sequence[Claim], how_to_check: str) -> Section:
    table = Table(
        columns=(
            Column(title="no.", weight=0.35, side="right"),
            Column(title="claim", weight=1.6),
            Column(title="rests on", weight=3.2),
            Column(title="law", weight=2.4),
        ),
        rows=tuple(
            (
                str(number),
                shortened(claim.claim_id, 80),
                _records(claim.record_ids),
                shortened(claim.fit, _LAW) or "none",
            )
            for number, claim in enumerate(claims, start=1)
        ),
        alt="Records and laws behind each claim",
        anchors=tuple(claim.claim_id for claim in claims),
    )
    return Section(title="Evidence", blocks=(Paragraph(text=how_to_check, tone="small"), table))


def _records(record_ids: Sequence[str]) -> str:
    if not record_ids:
        return "no single record"
    listed = ", ".join(_brief(record_id) for record_id in record_ids[:_MOST_LISTED])
    left = len(record_ids) - _MOST_LISTED
    more = f" and {left} more" if left > 0 else ""
    return f"{counted(len(record_ids), 'record')}: {listed}{more}"


def _brief(record_id: str) -> str:
    """Such as ``3fed8dae/1``: the point's first digits, and the attempt."""
    point, _, attempt = record_id.partition("/")
    return f"{plain(point)[:8]}/{shortened(attempt.removeprefix('attempt-'), 12)}"
