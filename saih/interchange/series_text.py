"""Text of others, made into lines that are safe to read further: bounded, UTF-8, without NUL."""

from collections.abc import Iterator
from typing import NoReturn

from saih.domain.errors import DamagedData

MAX_BYTES = 64 * 2**20
MAX_LINES = 1_000_000
SHOWN = 60
"""Characters of a value that an error shows."""


def text_lines(content: bytes, name: str, max_line_bytes: int) -> Iterator[tuple[int, str]]:
    """Lines with something on them, each with its number from 1.

    Raises:
        DamagedData: for what is no text, by its line.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        refuse(name, 1, "it is UTF-16 text", "save it as UTF-8.")
    body = content.removeprefix(b"\xef\xbb\xbf")
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if number > MAX_LINES and line:
            refuse(name, number, f"it has more than {MAX_LINES} lines", "split it.")
        if b"\0" in line:
            refuse(name, number, f"byte {line.index(0) + 1} is NUL", "give a text.")
        if len(line) > max_line_bytes:
            refuse(name, number, f"it has {len(line)} bytes, more than {max_line_bytes}", "break it up.")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            refuse(name, number, f"byte {error.start + 1} is no UTF-8", "save the file as UTF-8.")
        if text.strip():
            yield number, text


def refuse(name: str, number: int, what: str, remedy: str = "mend that line.") -> NoReturn:
    """Refuse a file for what stands on one of its lines.

    Raises:
        DamagedData: always.
    """
    raise DamagedData(f"line {number} of {name} cannot be read: {what}", remedy)
