"""The part of YAML that a testbed is written in, read strictly: the system's Python has no YAML.

Block mappings and lists by indentation, ``[a, b]`` and ``{a: b}`` on one line, quoted and plain scalars,
comments. A scalar is always text; anchors, tags, several documents and text over several lines are refused.
"""

import re
from dataclasses import dataclass

from tools.edge_testbed_parts.errors import MISUSED, TestbedError

Value = str | list["Value"] | dict[str, "Value"]
_KEY = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*:(?:\s+|$)")
_PLAIN_END = re.compile(r"[,\[\]{}]")
_FORBIDDEN = "&*!|>%@`"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    number: int
    indent: int
    text: str


def parse_yaml(text: str, source: str) -> Value:
    """The value of a text that messages call ``source``: nested mappings and lists of text.

    Raises:
        TestbedError: with the line, where the text is not of the kind above.
    """
    reader = _Reader(source=source, lines=_lines(text, source))
    if not reader.lines:
        raise TestbedError(f"{source} is empty", "see docs/edge-testbed.md for an example.", MISUSED)
    value = reader.block(reader.lines[0].indent)
    if reader.place < len(reader.lines):
        raise reader.wrong("is indented unlike the lines above it", "indent it by as many blanks.")
    return value


class _Reader:
    """Reads lines from the first on."""

    def __init__(self, *, source: str, lines: list[_Line]) -> None:
        self.source, self.lines, self.place = source, lines, 0

    def block(self, indent: int) -> Value:
        """The mapping, list or scalar of the lines that begin at ``indent``."""
        line = self.lines[self.place]
        if _is_item(line.text):
            return self._list(indent)
        if _KEY.match(line.text):
            return self._mapping(indent)
        self.place += 1
        return self._inline(line, line.text)

    def wrong(self, problem: str, remedy: str, line: _Line | None = None) -> TestbedError:
        """The error for a line, the next one if none is named."""
        at = line or self.lines[min(self.place, len(self.lines) - 1)]
        return TestbedError(f"{self.source}:{at.number}: {at.text!r} {problem}", remedy, MISUSED)

    def _mapping(self, indent: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while (line := self._next(indent)) is not None and not _is_item(line.text):
            match = _KEY.match(line.text)
            if match is None:
                raise self.wrong("is no 'key: value'", "write a blank behind the colon.")
            if match[1] in found:
                raise self.wrong(f"gives {match[1]} a second time", "remove one of the two.")
            found[match[1]] = self._value(line, line.text[match.end() :], indent)
        return found

    def _list(self, indent: int) -> list[Value]:
        found: list[Value] = []
        while (line := self._next(indent)) is not None and _is_item(line.text):
            rest = line.text[1:].lstrip()
            inner = indent + len(line.text) - len(rest)
            if rest and not rest.startswith(("{", "[", '"', "'")) and _KEY.match(rest):
                # The first key stands behind the dash, the others below it.
                self.lines[self.place] = _Line(number=line.number, indent=inner, text=rest)
                found.append(self._mapping(inner))
            else:
                found.append(self._value(line, rest, indent))
        return found

    def _value(self, line: _Line, rest: str, indent: int) -> Value:
        self.place += 1
        if rest:
            return self._inline(line, rest)
        if self.place < len(self.lines):
            below = self.lines[self.place]
            if below.indent > indent or (below.indent == indent and _is_item(below.text)):
                return self.block(below.indent)
        raise self.wrong("has no value", "write one, or remove the key.", line)

    def _next(self, indent: int) -> _Line | None:
        if self.place == len(self.lines) or self.lines[self.place].indent < indent:
            return None
        if self.lines[self.place].indent > indent:
            raise self.wrong("is indented unlike the lines above it", "indent it by as many blanks.")
        return self.lines[self.place]

    def _inline(self, line: _Line, text: str) -> Value:
        value, rest = self._flow(line, text)
        if rest.strip():
            raise self.wrong(f"has {rest.strip()!r} left over", "put text with such marks in quotes.", line)
        return value

    def _flow(self, line: _Line, text: str) -> tuple[Value, str]:
        """The value that ``text`` begins with, and what follows it."""
        text = text.lstrip()
        if text[:1] == "[":
            return self._flow_list(line, text[1:])
        if text[:1] == "{":
            return self._flow_mapping(line, text[1:])
        if text[:1] in {'"', "'"}:
            end = text.find(text[0], 1)
            if end < 0:
                raise self.wrong("has a quote that does not end", "close it on the same line.", line)
            return text[1:end], text[end + 1 :]
        if not text or text[0] in _FORBIDDEN or text.startswith("---"):
            raise self.wrong("is more of YAML than a testbed needs", "write plain values.", line)
        match = _PLAIN_END.search(text)
        end = match.start() if match else len(text)
        if not text[:end].strip():
            raise self.wrong("lacks a value", "write one.", line)
        return text[:end].strip(), text[end:]

    def _flow_list(self, line: _Line, text: str) -> tuple[Value, str]:
        found: list[Value] = []
        while not (text := text.lstrip()).startswith("]"):
            value, text = self._flow(line, text)
            found.append(value)
            text = self._comma(line, text, "]")
        return found, text[1:]

    def _flow_mapping(self, line: _Line, text: str) -> tuple[Value, str]:
        found: dict[str, Value] = {}
        while not (text := text.lstrip()).startswith("}"):
            match = _KEY.match(text)
            if match is None or match[1] in found:
                raise self.wrong("has no 'key: value' between braces, or one twice", "mend it.", line)
            found[match[1]], text = self._flow(line, text[match.end() :])
            text = self._comma(line, text, "}")
        return found, text[1:]

    def _comma(self, line: _Line, text: str, end: str) -> str:
        text = text.lstrip()
        if text.startswith(","):
            return text[1:]
        if not text.startswith(end):
            raise self.wrong(f"has no {end!r} at its end", "close it on the same line.", line)
        return text


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _lines(text: str, source: str) -> list[_Line]:
    """Lines with something in them, comments removed."""
    found = []
    for number, raw in enumerate(text.splitlines(), start=1):
        bare = _without_comment(raw).rstrip()
        indent = len(bare) - len(bare.lstrip())
        if "\t" in bare[:indent]:
            raise TestbedError(f"{source}:{number}: a tab indents it", "use blanks.", MISUSED)
        if bare:
            found.append(_Line(number=number, indent=indent, text=bare.lstrip()))
    return found


def _without_comment(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1].isspace()):
            return line[:place]
    return line
