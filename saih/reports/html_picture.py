"""Figures inside an HTML page: only shapes and text are kept, nothing that runs, fetches or clashes.

The page forbids inline styles, so those of a figure become attributes; ids get the prefix of their figure.
"""

import re
from collections.abc import Iterator
from html import escape
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_SHAPES = frozenset(
    {"svg", "g", "defs", "use", "path", "rect", "circle", "line", "polygon", "polyline", "text", "tspan"}
    | {"clipPath", "pattern", "image", "linearGradient", "stop"}
)
_DROPPED = frozenset(("metadata", "style", "title"))
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_HATCH = re.compile(r"h[0-9a-f]{10}")
"""matplotlib names a hatch by the hash of its content, so one of a name is enough for a page."""
_HATCH_PATTERN = re.compile(rf'<pattern id="({_HATCH.pattern})".*?</pattern>', re.DOTALL)
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\)")
_SPACED_LETTER = re.compile(r"\s*([A-Za-z])\s*")
_HANDLER = re.compile(r"on\w+", re.IGNORECASE)


def inline_picture(svg: str, prefix: str, alt: str) -> str:
    """The figure as an ``svg`` element whose ids begin with ``prefix``; ``alt`` is its text alternative.

    Raises:
        ValueError: for an element that a figure has no use for, such as a script.
    """
    root = ET.fromstring(svg)  # noqa: S314 - drawn by this package, whose drawing escapes every text
    used = frozenset(_references(root))
    inside = "".join(_written(child, prefix, used) for child in root)
    box = escape(root.get("viewBox", "0 0 1 1"))
    head = f'<svg viewBox="{box}" role="img" aria-label="{escape(alt)}"'
    return f'{head} stroke-linejoin="round" stroke-linecap="butt">{inside}</svg>'


def hatches_once(page: str) -> str:
    """``page`` with each hatch at its first figure only: it is most of what a figure weighs."""
    seen: set[str] = set()

    def kept(found: re.Match[str]) -> str:
        is_new = found[1] not in seen
        seen.add(found[1])
        return found[0] if is_new else ""

    return _HATCH_PATTERN.sub(kept, page)


def _references(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        yield element.get(_LINK, "").removeprefix("#")
        for value in element.attrib.values():
            yield from _REFERENCE.findall(value)


def _written(element: ET.Element, prefix: str, used: frozenset[str]) -> str:
    name = element.tag.removeprefix(_SVG)
    if name in _DROPPED or (element.tag.startswith("{") and not element.tag.startswith(_SVG)):
        return ""
    if name not in _SHAPES:
        raise ValueError(f"a figure holds the element {element.tag}, which no page shows")
    inside = escape((element.text or "").strip(), quote=False)
    inside += "".join(_written(child, prefix, used) for child in element)
    if name in ("g", "defs", "text") and not inside:
        return ""
    words = "".join(f' {key}="{escape(value)}"' for key, value in _attributes(element, prefix, used))
    if name == "g" and not words:
        return inside
    return f"<{name}{words}>{inside}</{name}>" if inside else f"<{name}{words}/>"


def _attributes(element: ET.Element, prefix: str, used: frozenset[str]) -> Iterator[tuple[str, str]]:
    for key, value in element.attrib.items():
        if key == "style":
            yield from _from_style(value, prefix)
        elif key == "id":
            yield from [("id", _named(value, prefix))] if value in used else []
        elif key in (_LINK, "href"):
            yield from _link(value, prefix)
        elif not key.startswith("{") and not _HANDLER.fullmatch(key):
            yield from _placed(key, _brief(value), prefix)


def _placed(key: str, value: str, prefix: str) -> Iterator[tuple[str, str]]:
    if key == "d":
        yield key, _SPACED_LETTER.sub(r"\1", value)
    elif not _NO_TURN.fullmatch(value):
        yield key, _prefixed(" ".join(value.split()), prefix)


def _from_style(style: str, prefix: str) -> Iterator[tuple[str, str]]:
    for name, _, setting in (part.partition(":") for part in style.split(";") if part.strip()):
        if name.strip() != "font-family":  # the page has one for all of them
            yield name.strip(), _prefixed(setting.strip(), prefix)


def _link(target: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Only what is inside: a shape of this figure, or pixels that it carries itself."""
    if target.startswith("#"):
        yield "href", f"#{prefix}{target[1:]}"
    elif target.startswith("data:image/png;"):
        yield "href", target


def _prefixed(value: str, prefix: str) -> str:
    return _REFERENCE.sub(lambda found: f"url(#{_named(found[1], prefix)})", value)


def _named(name: str, prefix: str) -> str:
    return name if _HATCH.fullmatch(name) else prefix + name


def _brief(value: str) -> str:
    """Hundredths of a point are finer than any screen or press."""
    return _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
