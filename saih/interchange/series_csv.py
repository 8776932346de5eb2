"""Series from CSV: one value on each line, under a header with the columns of ``COLUMNS``.

Files are untrusted: they are bounded, and what cannot be read is refused with its line. A value that is no
positive number is kept as it is, for the analysis to name.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.errors import UsageError
from saih.domain.interval import Interval
from saih.domain.series import Reading, Series, SeriesKind
from saih.interchange.series_rows import UNTOLD, Row, Told, series_of
from saih.interchange.series_text import SHOWN, refuse, text_lines

COLUMNS: Mapping[str, str] = {
    "size": "what grows, a positive number (needed)",
    "value": "what was measured, the smaller the better (needed)",
    "series": "name of the series; all lines are one where it is missing",
    "axis": "name of what grows, such as ranks",
    "kind": "strong, weak or size",
    "unit": "unit of the value, such as s or ms",
    "repeat": "name or number of the run; lines of one size are repeats in any case",
    "phase": "part of the whole that the value is of; empty for the whole",
    "low": "lower end of the interval of the value",
    "high": "upper end of the interval of the value",
    "level": "level of that interval; 0.95 where it is missing",
    "count": "observations behind the value, such as steps; 1 where it is missing",
    "facts": "settings of the run, as name=value; name=value. Another environment makes another series",
}
"""Every column by its name; others are refused, unless they are renamed."""
MAX_CELLS = 100
"""Columns of a line."""
MAX_CELL = 1_000
"""Characters of a cell."""
_MAX_LINE_BYTES = 64 * 2**10
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_FORMULA = ("=", "@")
"""What a spreadsheet would run; no name or number begins so."""


def parse_csv(content: bytes, name: str, told: Told = UNTOLD) -> tuple[Series, ...]:
    """The series of a CSV file; ``name`` is what errors call it.

    Comma, semicolon or tab part the cells, whichever the header has. ``told.columns`` gives for a
    column of ``COLUMNS`` what the file calls it; with it, columns that nobody named are left alone.

    Raises:
        DamagedData: for a file or a line that cannot be read, by its number.
        UsageError: when ``told`` names a column that is not there.
    """
    lines = text_lines(content, name, _MAX_LINE_BYTES)
    number, header = next(lines, (1, ""))
    separator = max(",;\t", key=header.count)
    table = _Table(name=name, separator=separator, columns=_columns(header, separator, name, told.columns))
    rows = [_row(table, place, line) for place, line in lines]
    if not rows:
        refuse(name, number, "it has a header and no line below it")
    return series_of(rows, name, told)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    name: str
    separator: str
    columns: tuple[str, ...]
    """Ours by place; empty for a column that is left alone."""


def _columns(header: str, separator: str, name: str, renamed: Mapping[str, str]) -> tuple[str, ...]:
    cells = [cell.strip() for cell in _cells(header, separator, name, 1)]
    unknown = [own for own in renamed if own not in COLUMNS]
    missing = [theirs for theirs in renamed.values() if theirs not in cells]
    if unknown or missing:
        raise UsageError(
            f"--column names {(unknown or missing)[0]!r}, "
            + (
                f"which is none of {', '.join(COLUMNS)}" if unknown else f"a column that {name} does not have"
            ),
            "write --column OURS=THEIRS, such as --column size=nodes.",
        )
    ours = {theirs: own for own, theirs in renamed.items()}
    found = tuple(
        ours.get(cell, cell.lower() if cell.lower() in COLUMNS and cell.lower() not in renamed else "")
        for cell in cells
    )
    strange = [cell for cell, own in zip(cells, found, strict=True) if not own]
    if strange and not renamed:
        refuse(
            name, 1, f"there is no column {strange[0][:SHOWN]!r}", f"use {', '.join(COLUMNS)}; or --column."
        )
    twice = sorted({own for own in found if own and found.count(own) > 1})
    if twice:
        refuse(name, 1, f"the column {twice[0]} is there twice", "keep one of them.")
    for needed in ("size", "value"):
        if needed not in found:
            refuse(name, 1, f"there is no column {needed}", f"name it, or say --column {needed}=NAME.")
    return found


def _cells(line: str, separator: str, name: str, number: int) -> list[str]:
    if line.count(separator) >= MAX_CELLS:
        refuse(
            name, number, f"it has {line.count(separator) + 1} columns, more than {MAX_CELLS}", "keep ours."
        )
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except csv.Error as error:
        refuse(name, number, f"its quotes do not end ({error})", "keep each value on one line.")
    long = max(cells, key=len, default="")
    if len(long) > MAX_CELL:
        refuse(name, number, f"a cell has {len(long)} characters, more than {MAX_CELL}", "shorten it.")
    return cells


def _row(table: _Table, number: int, line: str) -> Row:
    cells = _cells(line, table.separator, table.name, number)
    if len(cells) != len(table.columns):
        refuse(
            table.name, number, f"it has {len(cells)} cells, the header {len(table.columns)}",
            "give every line a cell for every column; quote cells that hold the separator.",
        )  # fmt: skip
    pairs = zip(table.columns, cells, strict=True)
    told = {column: cell.strip() for column, cell in pairs if column}
    for column, cell in told.items():
        if cell.startswith(_FORMULA):
            refuse(
                table.name, number, f"{column} is the formula {cell[:SHOWN]!r}", "save values, not formulas."
            )
    size = _number(told["size"])
    if size is None or not math.isfinite(size) or size <= 0:
        refuse(table.name, number, f"size is {told['size'][:SHOWN]!r}, no positive number", "mend it.")
    return Row(
        series=told.get("series", ""),
        axis=told.get("axis", ""),
        kind=_kind(table, number, told.get("kind", "")),
        unit=told.get("unit", ""),
        phase=told.get("phase", ""),
        reading=Reading(
            size=size,
            value=_value(table, number, told["value"]),
            written=told["value"][:SHOWN],
            place=_place(number, told.get("repeat", "")),
            spread=_spread(table, number, told),
            facts=_facts(table, number, told.get("facts", "")),
        ),
    )


def _place(number: int, repeat: str) -> str:
    return f"line {number}, run {repeat[:SHOWN]}" if repeat else f"line {number}"


def _value(table: _Table, number: int, cell: str) -> float:
    """The number of a cell; NaN where it says that there is none."""
    found = _number(cell)
    if found is None:
        refuse(table.name, number, f"value is {cell[:SHOWN]!r}, no number", "write 1234.5, or nan for none.")
    return found


def _number(cell: str) -> float | None:
    if _NUMBER.fullmatch(cell):
        return float(cell)
    words = {"": math.nan, "nan": math.nan, "inf": math.inf, "+inf": math.inf, "-inf": -math.inf}
    return words.get(cell.lower())


def _kind(table: _Table, number: int, cell: str) -> SeriesKind | None:
    if not cell:
        return None
    if cell.lower() not in list(SeriesKind):
        refuse(table.name, number, f"kind is {cell[:SHOWN]!r}", f"write {', '.join(SeriesKind)}.")
    return SeriesKind(cell.lower())


def _spread(table: _Table, number: int, told: Mapping[str, str]) -> Interval | None:
    if not told.get("low") and not told.get("high"):
        return None
    level, count = told.get("level") or "0.95", told.get("count") or "1"
    try:
        low, value, high, share, many = (
            float(_number(cell) or 0.0) for cell in (told["low"], told["value"], told["high"], level, count)
        )
        return Interval(low=low, value=value, high=high, level=share, count=int(many))
    except (KeyError, ValueError, OverflowError) as error:
        refuse(
            table.name, number, f"low, value, high, level and count make no interval ({error})", "mend them."
        )


def _facts(table: _Table, number: int, cell: str) -> Mapping[str, str]:
    parts = [part.partition("=") for part in cell.split(";") if part.strip()]
    if any(not name.strip() or not equals for name, equals, _ in parts):
        refuse(table.name, number, f"facts are {cell[:SHOWN]!r}", "write name=value; name=value.")
    return {name.strip(): value.strip() for name, _, value in parts}
