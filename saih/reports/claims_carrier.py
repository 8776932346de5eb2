"""Where a report carries its claims: attached to a PDF, in a script element of HTML, or as the file itself.

What is read here may have been made by anybody. Nothing is run, nothing is followed to elsewhere, and no more
is unpacked than claims may have.
"""

import re
import zlib
from collections.abc import Iterable, Iterator
from html import unescape

from saih.domain.claim import Claim
from saih.domain.errors import DamagedData, UsageError
from saih.reports.claims_file import MAX_BYTES
from saih.reports.evidence import CARD_PREFIX
from saih.reports.html_page import CLAIMS_ID

_ATTACHED = re.compile(rb"/Type\s*/EmbeddedFile\b")
_OPENED = re.compile(rb"stream\r?\n")
_SCRIPT = re.compile(
    rb"<script\b(?=[^>]{0,200}\bid\s*=\s*[\"']?saih-claims[\"'\s>])[^>]{0,400}>", re.IGNORECASE
)
_HIDING = re.compile(r"<(script|style)\b", re.IGNORECASE)
_SHOWING = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in ("script", "style")}
_TAG = re.compile(r"<[^<>]*>")
_MOST_ATTACHED = 16
_DICTIONARY = 2048
"""Bytes before and after the type in which the rest of an attached file's dictionary is."""
_SPACES = b" \t\r\n\xef\xbb\xbf"
_REMEDY = "give a PDF or HTML report that saih wrote, or the claims.json attached to one."


def claims_in(data: bytes, where: str) -> bytes:
    """The JSON text of the claims that ``data`` carries; ``where`` is told when it carries none.

    Raises:
        UsageError: when it is no report.
        DamagedData: when it is a report that was cut off, or that carries no claims that can be read.
    """
    if data.startswith(b"%PDF-"):
        return _in_pdf(data, where)
    start = data[:1024].lstrip(_SPACES)
    if start.startswith(b"{"):
        return data
    if start.startswith(b"<"):
        return _in_html(data, where)
    raise UsageError(f"{where} is neither a PDF, nor HTML, nor claims", _REMEDY)


def not_shown(data: bytes, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The sentences among ``claims`` that a page of HTML does not show; nothing is told of other files."""
    if not data[:1024].lstrip(_SPACES).startswith(b"<"):
        return ()
    shown = _squeezed(unescape(_TAG.sub("", _without_hidden(data.decode(errors="replace")))))
    sentences = [claim for claim in claims if not claim.claim_id.startswith(CARD_PREFIX)]
    return tuple(claim for claim in sentences if _squeezed(claim.text) not in shown)


def _without_hidden(page: str) -> str:
    """The page without what its scripts and styles hold; each byte is looked at once, whatever it is."""
    parts, place = [], 0
    for match in _HIDING.finditer(page):
        if match.start() < place:
            continue
        parts.append(page[place : match.start()])
        closed = _SHOWING[match.group(1).lower()].search(page, match.end())
        place = closed.start() if closed is not None else len(page)
    return "".join([*parts, page[place:]])


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _in_pdf(data: bytes, where: str) -> bytes:
    if b"%%EOF" not in data[-1024:]:
        raise DamagedData(f"{where} was cut off: a PDF ends with %%EOF", _REMEDY)
    for content in _attached(data, where):
        if content.lstrip(_SPACES).startswith(b"{"):
            return content
    raise DamagedData(f"{where} is a PDF without claims: no claims.json is attached to it", _REMEDY)


def _in_html(data: bytes, where: str) -> bytes:
    opened = _SCRIPT.search(data)
    closed = data.find(b"</script", opened.end()) if opened is not None else -1
    if opened is not None and closed >= 0:
        return data[opened.end() : closed]
    if b"</html" not in data[-1024:].lower():
        raise DamagedData(f"{where} was cut off: HTML ends with </html>", _REMEDY)
    raise DamagedData(f"{where} is HTML without claims: it has no script element {CLAIMS_ID}", _REMEDY)


def _attached(data: bytes, where: str) -> Iterator[bytes]:
    """The contents of the attached files, whose streams are never inside of others."""
    for number, match in enumerate(_ATTACHED.finditer(data)):
        if number == _MOST_ATTACHED:
            return
        opened = _OPENED.search(data, match.end(), match.end() + _DICTIONARY)
        if opened is None:
            continue
        begun = max(data.rfind(b" obj", max(match.start() - _DICTIONARY, 0), match.start()), 0)
        dictionary = data[begun : opened.start()]
        if b"/FlateDecode" in dictionary:
            yield _inflated(data, opened.end(), where)
        elif b"/Filter" not in dictionary:
            yield _plain(data, opened.end())


def _plain(data: bytes, start: int) -> bytes:
    end = data.find(b"endstream", start)
    return data[start : end if end >= 0 else None].rstrip(b"\r\n")


def _inflated(data: bytes, start: int, where: str) -> bytes:
    """What a compressed stream holds; it says itself where it ends."""
    machine = zlib.decompressobj()
    try:
        content = machine.decompress(data[start : start + MAX_BYTES], MAX_BYTES + 1)
    except zlib.error as error:
        raise DamagedData(f"a file attached to {where} cannot be unpacked: {error}", _REMEDY) from error
    if len(content) > MAX_BYTES:
        raise DamagedData(f"a file attached to {where} unpacks to more than {MAX_BYTES} bytes", _REMEDY)
    if not machine.eof:
        raise DamagedData(f"a file attached to {where} was cut off", _REMEDY)
    return content
