"""Extra-P's text format and its JSON lines: regions and metrics over one to four parameters.

Format: https://github.com/extra-p/extrap/blob/master/docs/file-formats.md. Of a grid over several parameters
every line along one of them is a series, at the values of the others. The format tells no unit.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from saih.domain.quantity import counted
from saih.domain.series import Reading, Series
from saih.interchange.series_rows import GREATEST_SIZE, UNTOLD, Row, Told, series_of
from saih.interchange.series_text import SHOWN, refuse, text_lines

MAX_PARAMETERS = 4
MAX_POINTS = 10_000
MAX_REPEATS = 10_000
_MAX_LINE_BYTES = 4 * 2**20
_MAX_NAME = 1_000
_FEWEST_IN_LINE = 2
_JSON_NAMES = ("params", "value", "callpath", "metric")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """One value at one point of the grid."""

    what: str
    at: tuple[float, ...]
    value: float
    written: str
    place: str


@dataclass(slots=True, kw_only=True)
class _Text:
    """What the lines of a text have told so far."""

    name: str
    parameters: list[str] = field(default_factory=list)
    points: list[tuple[float, ...]] = field(default_factory=list)
    metric: str = ""
    region: str = ""
    num_data: int = 0
    told: set[str] = field(default_factory=set)
    """Regions and metrics with DATA."""
    remarks: list[str] = field(default_factory=list)
    cells: list[_Cell] = field(default_factory=list)


def parse_extrap(content: bytes, name: str, told: Told = UNTOLD) -> tuple[Series, ...]:
    """The series of an Extra-P text or JSON-lines file; ``name`` is what errors call it.

    Raises:
        DamagedData: for a line that cannot be read, by its number.
    """
    lines = list(text_lines(content, name, _MAX_LINE_BYTES))
    text = _Text(name=name)
    if lines and lines[0][1].lstrip().startswith("{"):
        parameters, cells = _from_json(lines, name)
    else:
        for number, line in lines:
            if not line.startswith("#"):
                _read(text, number, line)
        _end_data(text)
        parameters, cells = text.parameters, text.cells
    if not cells:
        refuse(
            name, lines[-1][0] if lines else 1, "there is no DATA in the whole file", "give one with values."
        )
    rows = list(_rows(parameters, cells))
    if not rows:
        refuse(
            name, lines[-1][0], f"no two points differ in one of {', '.join(parameters)[:SHOWN]} alone",
            "measure two or more values of one parameter at the same values of the others.",
        )  # fmt: skip
    remarks = (*text.remarks, *_lone_words(cells, rows))
    return series_of(rows, name, told, remarks)


def _lone_words(cells: Sequence[_Cell], rows: Sequence[Row]) -> Iterator[str]:
    """One sentence where cells stand on no line along any parameter."""
    placed = {row.reading.place for row in rows}
    lone = [cell for cell in cells if cell.place not in placed]
    if lone:
        verb = "takes" if len(lone) == 1 else "take"
        yield (
            f"{counted(len(lone), 'value')} {verb} no part ({lone[0].place}{', ...' * (len(lone) > 1)}): "
            "no other point differs from theirs in one parameter alone."
        )


def _read(text: _Text, number: int, line: str) -> None:
    words = line.split()
    keyword, rest = words[0], words[1:]
    if keyword == "PARAMETER":
        text.parameters += rest
        if (
            not rest
            or len(text.parameters) > MAX_PARAMETERS
            or len(set(text.parameters)) < len(text.parameters)
        ):
            refuse(
                text.name,
                number,
                f"PARAMETER {' '.join(rest)[:SHOWN]!r}",
                "name 1 to 4 parameters, each once.",
            )
    elif keyword == "POINTS":
        text.points += _points(text, number, " ".join(rest))
        if len(text.points) > MAX_POINTS:
            refuse(text.name, number, f"there are more than {MAX_POINTS} points", "split the file.")
    elif keyword in ("METRIC", "REGION"):
        _end_data(text)
        setattr(text, keyword.lower(), " ".join(rest)[:_MAX_NAME])
    elif keyword == "DATA":
        _data(text, number, rest)
    elif keyword != "EXPERIMENT":
        refuse(
            text.name, number, f"{keyword[:SHOWN]!r} is no word of the format",
            "use PARAMETER, POINTS, METRIC, REGION and DATA.",
        )  # fmt: skip


def _points(text: _Text, number: int, words: str) -> Iterator[tuple[float, ...]]:
    count = len(text.parameters)
    if not count:
        refuse(text.name, number, "POINTS stand before any PARAMETER", "name the parameters first.")
    inner = words.replace("(", " ( ").replace(")", " ) ").split()
    is_grouped = "(" in inner
    numbers = [_size(text, number, word) for word in inner if word not in "()"]
    shape = [word if word in "()" else "." for word in inner]
    groups = sum(word == "(" for word in inner) if is_grouped else len(numbers)
    is_even = not is_grouped or shape == ["(", *"." * count, ")"] * groups
    if not numbers or not is_even or len(numbers) != groups * count or (count > 1 and not is_grouped):
        refuse(
            text.name, number, f"{len(numbers)} numbers make no points of {count} parameters",
            "write POINTS 1 2 4 for one parameter, POINTS ( 1 10 ) ( 2 10 ) for two.",
        )  # fmt: skip
    return (tuple(numbers[begin : begin + count]) for begin in range(0, len(numbers), count))


def _size(text: _Text, number: int, word: str) -> float:
    size = _float(word)
    if size is None or not math.isfinite(size) or size <= 0:
        refuse(text.name, number, f"the point {word[:SHOWN]!r} is no positive number", "mend it.")
    return size


def _data(text: _Text, number: int, words: Sequence[str]) -> None:
    what = _what(text.region, text.metric)
    if not text.num_data and what in text.told:
        refuse(
            text.name,
            number,
            f"{what[:SHOWN]!r} has its DATA above already",
            "tell each region and metric once.",
        )
    text.told.add(what)
    if text.num_data >= len(text.points):
        refuse(
            text.name, number, f"this is DATA for point {text.num_data + 1} of {len(text.points)}",
            "give one DATA line for each point of each region and metric.",
        )  # fmt: skip
    if not words or len(words) > MAX_REPEATS:
        refuse(text.name, number, f"DATA has {len(words)} values", f"give 1 to {MAX_REPEATS}.")
    for repeat, word in enumerate(words, start=1):
        value = _float(word)
        if value is None:
            refuse(text.name, number, f"{word[:SHOWN]!r} is no number", "write nan for none.")
        text.cells.append(
            _Cell(
                what=what,
                at=text.points[text.num_data],
                value=value,
                written=word[:SHOWN],
                place=f"line {number}, value {repeat}",
            )
        )
    text.num_data += 1


def _end_data(text: _Text) -> None:
    """After the last DATA of a region and metric: a point without any is told."""
    if 0 < text.num_data < len(text.points):
        text.remarks.append(
            f"{_what(text.region, text.metric)} has no DATA for {len(text.points) - text.num_data} of "
            f"{len(text.points)} points."
        )
    text.num_data = 0


def _what(region: str, metric: str) -> str:
    return " ".join(part for part in (region, metric) if part) or "values"


def _float(word: str) -> float | None:
    try:
        return float(word) if word.isascii() and "_" not in word else None
    except ValueError:
        return None


def _from_json(lines: Sequence[tuple[int, str]], name: str) -> tuple[list[str], list[_Cell]]:
    parameters: list[str] = []
    cells = []
    for number, line in lines:
        content = _decoded(line, number, name)
        parameters = parameters or list(content["params"])
        if sorted(parameters) != sorted(content["params"]) or not 1 <= len(parameters) <= MAX_PARAMETERS:
            refuse(
                name,
                number,
                f"params are {str(content['params'])[:SHOWN]}",
                "give the same 1 to 4 in every line.",
            )
        at = tuple(content["params"][one] for one in parameters)
        if not all(_is_number(one) and 0 < one < GREATEST_SIZE for one in at):
            refuse(name, number, f"params are {str(at)[:SHOWN]}, not positive numbers", "mend them.")
        at, value = tuple(map(float, at)), content["value"]
        what = _what(*(str(content.get(key, ""))[:_MAX_NAME] for key in ("callpath", "metric")))
        cells.append(
            _Cell(what=what, at=at, value=_bounded(value), written=str(value)[:SHOWN], place=f"line {number}")
        )
    return parameters, cells


def _bounded(value: float) -> float:
    """As a double; infinite for a whole number that none can hold."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _decoded(line: str, number: int, name: str) -> dict[str, Any]:
    try:
        content = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        refuse(name, number, f"it is no JSON object ({str(error)[:SHOWN]})", "one object on each line.")
    if not isinstance(content, dict) or not isinstance(content.get("params"), dict):
        refuse(name, number, "it is no object with params", f"give {', '.join(_JSON_NAMES)}.")
    if not _is_number(content.get("value")):
        refuse(name, number, f"value is {str(content.get('value'))[:SHOWN]!r}, no number", "mend it.")
    return content


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rows(parameters: Sequence[str], cells: Sequence[_Cell]) -> Iterator[Row]:
    """Every cell once for each line along a parameter that it lies on; a line has two sizes or more."""
    for index, axis in enumerate(parameters):
        lines: dict[tuple[str, tuple[float, ...]], list[_Cell]] = defaultdict(list)
        for cell in cells:
            lines[cell.what, cell.at[:index] + cell.at[index + 1 :]].append(cell)
        is_lone = len(parameters) == 1
        for (what, others), line in lines.items():
            if is_lone or len({cell.at[index] for cell in line}) >= _FEWEST_IN_LINE:
                names = [one for one in parameters if one != axis]
                fixed = ", ".join(f"{one}={at:g}" for one, at in zip(names, others, strict=True))
                yield from (_row(what, axis, fixed, cell, index) for cell in line)


def _row(what: str, axis: str, fixed: str, cell: _Cell, index: int) -> Row:
    reading = Reading(size=cell.at[index], value=cell.value, written=cell.written, place=cell.place)
    if fixed:
        reading = replace(reading, facts={"at": fixed})
    return Row(
        series=f"{what} over {axis} at {fixed}" if fixed else what,
        axis=axis,
        kind=None,
        unit="",
        phase="",
        reading=reading,
    )
