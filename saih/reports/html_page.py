"""A self-contained HTML page: no request leaves it, and only the script and style that it carries may act."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from saih.reports.document import Document, Heading, Section
from saih.reports.html_blocks import evidence_numbers, section_html, text
from saih.reports.html_picture import hatches_once
from saih.reports.label import shortened

CLAIMS_ID = "saih-claims"
_SCRIPTS = ("marks.js", "chart.js", "trend.js", "map.js", "stack.js", "table.js", "report.js")
_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_ENTRY_WIDTH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Interactive figures that come after the first section: where they go, and the JSON that they show."""

    body: str
    data_json: str


def page(document: Document, embedded: Mapping[str, str], figures: Figures | None = None) -> str:
    """The page of ``document``; ``embedded`` holds JSON texts by the id under which the page carries them."""
    style = _asset("report.css")
    script = _script() if figures else ""
    anchors = tuple(_anchors(document.sections))
    evidence = evidence_numbers(document.sections)
    sections = [
        section_html(section, anchor, number, evidence)
        for number, (section, anchor) in enumerate(zip(document.sections, anchors, strict=True))
    ]
    if figures:
        sections.insert(1, figures.body)
        embedded = {**embedded, "saih-data": figures.data_json}
    data = [
        f'<script type="application/json" id="{name}">{inert_json(value)}</script>'
        for name, value in embedded.items()
    ]
    lines = (
        "<!DOCTYPE html>",
        '<html lang="en">',
        _head(document, style, script),
        "<body>",
        '<a class="skip" href="#content">Skip to the report</a>',
        _outline(document, anchors, has_figures=figures is not None),
        '<main id="content">',
        f'<header><h1 dir="auto">{text(document.title)}</h1>',
        f'<p class="quiet" dir="auto">{text(document.subtitle)}</p></header>',
        *sections,
        "</main>",
        *data,
        *((f"<script>{script}</script>",) if script else ()),
        "</body>",
        "</html>",
        "",
    )
    return hatches_once("\n".join(lines))


def inert_json(value: str) -> str:
    """JSON text that cannot end the element it is in; it decodes to the same values."""
    return value.translate(_ESCAPES)


def _head(document: Document, style: str, script: str) -> str:
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(script)}" if script else "script-src 'none'",
            f"style-src {_hash(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return "\n".join(
        (
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(document.title)}</title>",
            f'<meta name="description" content="{text(document.description)}">',
            '<link rel="icon" href="data:,">',
            f"<style>{style}</style>",
            "</head>",
        )
    )


def _hash(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _outline(document: Document, anchors: Sequence[str], *, has_figures: bool) -> str:
    entries = [_entry(section, anchor) for section, anchor in zip(document.sections, anchors, strict=True)]
    if has_figures:
        entries.insert(1, '<li class="scripted" hidden><a href="#explore">Explore</a></li>')
    listed = "\n".join(entries)
    return f'<nav aria-label="Contents"><p>Contents</p>\n<ol>\n{listed}\n</ol></nav>'


def _entry(section: Section, anchor: str) -> str:
    inner = "".join(
        f'<li><a href="#{anchor}-{index}" dir="auto">{text(shortened(block.text, _ENTRY_WIDTH))}</a></li>'
        for index, block in enumerate(section.blocks)
        if isinstance(block, Heading)
    )
    below = f"<ol>{inner}</ol>" if inner else ""
    return (
        f'<li><a href="#{anchor}" dir="auto">{text(shortened(section.title, _ENTRY_WIDTH))}</a>{below}</li>'
    )


def _anchors(sections: Sequence[Section]) -> Iterator[str]:
    """One for each section, from its title, so that a link keeps its meaning when sections are added."""
    seen: set[str] = set()
    for number, section in enumerate(sections):
        words = "-".join(re.findall(r"[a-z0-9]+", section.title.lower()))[:48].strip("-")
        anchor = f"to-{words or number}"
        if anchor in seen:
            anchor = f"{anchor}-at-{number}"
        seen.add(anchor)
        yield anchor


def _script() -> str:
    parts = "\n".join(_asset(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}\n}})();\n'


def _asset(name: str) -> str:
    return resources.files("saih.reports").joinpath("assets", name).read_text(encoding="utf-8")
