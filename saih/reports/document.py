"""A document: sections of blocks, typeset by Typst into a PDF that is the same bytes for the same content.

Texts reach Typst as JSON strings inside the compile root and are shown as they are: nothing in a name is
ever markup, and Typst reads no file outside that root.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import typst
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from saih.domain.claim import Claim
from saih.domain.errors import SaihError
from saih.reports.label import plain

CLAIMS_NAME = "claims.json"
"""Of the file attached to a PDF."""
_FONT_FOLDER = Path(get_data_path()) / "fonts" / "ttf"
_FONT_FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """Running text; ``small`` is for notes."""

    text: str
    tone: Literal["normal", "small", "loud"] = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list of sentences; a claim is shown with a reference to what it rests on."""

    items: tuple[str | Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One number that a reader should see first; with ``claim_id`` it is a claim."""

    label: str
    value: str
    note: str
    claim_id: str = ""
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Cards side by side."""

    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A vector figure with its caption and a text for readers who do not see it."""

    svg: str
    alt: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table: its title, its share of the width, and the side its cells lean to."""

    title: str
    weight: float = 1.0
    side: Literal["left", "right"] = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under repeated column titles."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    alt: str
    anchors: tuple[str, ...] = ()
    """For each row the claim that it tells of, whose sentence leads there; or nothing at all."""


Block = Heading | Paragraph | Bullets | Cards | Picture | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Blocks under a heading of the outline; a section starts a page unless it is short."""

    title: str
    blocks: tuple[Block, ...]
    is_landscape: bool = False
    is_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A titled sequence of sections."""

    title: str
    subtitle: str
    description: str
    sections: tuple[Section, ...]


def sentence_of(item: str | Claim) -> str:
    """The sentence that is printed for an item of a list."""
    return item.text if isinstance(item, Claim) else item


def section_or(title: str, blocks: Sequence[Block], otherwise: str) -> Section:
    """The section, or ``otherwise`` in its place where there is nothing to show."""
    if blocks:
        return Section(title=title, blocks=tuple(blocks))
    return Section(title=title, blocks=(Paragraph(text=otherwise, tone="loud"),), is_short=True)


def write(document: Document, path: Path, claims_json: str = "") -> Path:
    """Typeset ``document`` into ``path``, which is replaced as a whole; gives ``path``.

    Raises:
        SaihError: when the folder cannot be written to.
    """
    return publish(typeset(document, claims_json), path)


def publish(content: bytes, path: Path) -> Path:
    """Put a finished report at ``path``, which is replaced as a whole; gives ``path``.

    Raises:
        SaihError: when the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)  # a full disk leaves nothing half-written behind
    except OSError as error:
        problem = f"the report {path} cannot be written: {error.strerror}"
        raise SaihError(problem, "give a file in a folder that you may write to, with space left.") from error
    return path


def typeset(document: Document, claims_json: str = "") -> bytes:
    """The PDF of ``document``: tagged (PDF/UA-1) wherever every character has a glyph.

    With ``claims_json`` it carries that as an attached file.
    """
    content, pictures = _content(document)
    content["attachment"] = CLAIMS_NAME if claims_json else ""
    all_covered = set("".join(_strings(content)) + "".join(pictures.values())) <= _covered()
    template = resources.files("saih.reports").joinpath("document.typ").read_bytes()
    with tempfile.TemporaryDirectory(prefix="saih-report-") as folder:
        root = Path(folder)
        (root / "main.typ").write_bytes(template)
        (root / "content.json").write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
        (root / CLAIMS_NAME).write_text(claims_json, encoding="utf-8")
        for name, svg in pictures.items():
            (root / name).write_text(svg, encoding="utf-8")
        return typst.compile(
            str(root / "main.typ"),
            root=str(root),
            font_paths=[str(_fonts(root))],
            ignore_system_fonts=all_covered,  # else the system's fonts may hold the missing glyphs
            format="pdf",
            pdf_standards=["ua-1"] if all_covered else [],
        )


def _content(document: Document) -> tuple[dict[str, Any], dict[str, str]]:
    """The document as plain JSON values with safe strings, and its figures by file name."""
    pictures: dict[str, str] = {}
    anchors = _anchors(document)

    def encoded(block: Block) -> dict[str, Any]:
        fields = asdict(block)
        if isinstance(block, Picture):
            name = f"figure-{len(pictures) + 1}.svg"
            pictures[name] = fields.pop("svg")
            fields["file"] = name
        if isinstance(block, Bullets):
            fields["items"] = [_item(item, anchors) for item in block.items]
        if isinstance(block, Table):
            fields["anchors"] = [anchors[claim_id] for claim_id in block.anchors]
        return {"kind": type(block).__name__.lower(), **fields}

    sections = [
        {
            "title": section.title,
            "is_landscape": section.is_landscape,
            "is_short": section.is_short,
            "blocks": [encoded(block) for block in section.blocks],
        }
        for section in document.sections
    ]
    head = {"title": document.title, "subtitle": document.subtitle, "description": document.description}
    return _safe({**head, "sections": sections}), pictures


def _anchors(document: Document) -> dict[str, int]:
    """The number of each claim that a table tells of; it is shown, and links lead there."""
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    claim_ids = dict.fromkeys(claim_id for table in tables for claim_id in table.anchors)
    return {claim_id: number for number, claim_id in enumerate(claim_ids, start=1)}


def _item(item: str | Claim, anchors: Mapping[str, int]) -> dict[str, Any]:
    """A sentence with the number of its evidence; 0 for none."""
    number = anchors.get(item.claim_id, 0) if isinstance(item, Claim) else 0
    return {"text": sentence_of(item), "reference": number}


def _safe(value: Any) -> Any:  # Any: JSON values
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    return value


def _strings(value: Any) -> Iterator[str]:  # Any: JSON values
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _fonts(root: Path) -> Path:
    """A folder below ``root`` with matplotlib's DejaVu Sans only, so that all machines set the same type.

    Its last-resort font must stay out: a figure's text with one missing glyph would be all boxes.
    """
    folder = root / "fonts"
    folder.mkdir()
    for name in _FONT_FILES:
        shutil.copy(_FONT_FOLDER / name, folder)
    return folder


@cache
def _covered() -> frozenset[str]:
    """Characters for which the report's own font has a glyph, and the line ends of figure files."""
    font = FT2Font(str(_FONT_FOLDER / _FONT_FILES[0]))
    return frozenset(chr(code) for code in font.get_charmap()) | {"\n", "\t", "\r"}
