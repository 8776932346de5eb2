"""The map of verdicts for a terminal: a letter at each rung of data and model, with a legend."""

from collections.abc import Sequence

from saih.domain.quantity import counted, percent
from saih.domain.record import Outcome
from saih.domain.trend import Analysis, FailedPoint, Limit, PointSummary
from saih.reports.grid import Cell, Grid, grids
from saih.reports.terminal_text import columns_of, cut, padded, wrapped

LETTERS = {
    Limit.COMPUTE: "C",
    Limit.MEMORY: "M",
    Limit.INTERCONNECT: "N",
    Limit.STORAGE: "S",
    Limit.INPUT: "I",
    Limit.LAUNCH: "L",
    Limit.IMBALANCE: "B",
    Limit.CONTENTION: "Q",
    Limit.CEILING: "P",
    Limit.BEYOND: "A",
    Limit.MIXED: "X",
    Limit.UNEXPLAINED: "U",
    Limit.UNKNOWN: "?",
}
_OUTCOMES = {
    Outcome.OUT_OF_MEMORY: "o",
    Outcome.TIMED_OUT: "t",
    Outcome.DIVERGED: "d",
    Outcome.LOST: "l",
    Outcome.FAILED: "f",
}
_DROPPED, _ABSENT = "-", "."
_WORDS = {
    **{letter: str(limit) for limit, letter in LETTERS.items()},
    **{letter: str(outcome).replace("_", " ") for outcome, letter in _OUTCOMES.items()},
    _DROPPED: "dropped before the run",
    _ABSENT: "not measured",
}
_MAX_ROWS, _MAX_GRIDS, _ROW_LABEL = 40, 3, 22
_SMALL = 0.00095


def map_lines(analysis: Analysis, width: int) -> list[str]:
    """One map for each setting, the largest first; nothing where no axis has two rungs."""
    known = [grid for grid in grids(analysis) if len(grid.data) > 1 or len(grid.model) > 1]
    lines: list[str] = []
    for grid in known[:_MAX_GRIDS]:
        setting = f", {grid.setting}" if len(known) > 1 else ""
        title = f"Verdict, with the share of peak where it has room: model (down) over data (right){setting}"
        lines += ["", *wrapped(title, width), *_grid(grid, width)]
    if len(known) > _MAX_GRIDS:
        lines.append(f"... and {counted(len(known) - _MAX_GRIDS, 'more setting')} (--json lists all)")
    return [*lines[1:], *legend_lines(_used(known[:_MAX_GRIDS]), width)]


def legend_lines(letters: Sequence[str], width: int) -> list[str]:
    """What the letters stand for; those of measured points first."""
    named = [f"{letter} {words}" for letter, words in _WORDS.items() if letter in letters]
    return wrapped("; ".join(named), width, rest="  ") if named else []


def _grid(grid: Grid, width: int) -> list[str]:
    margin = min(max(columns_of(rung.label) for rung in grid.model), _ROW_LABEL, width // 3)
    each = (width - margin - 1) // max(len(grid.data), 1) - 1
    cells = {place: _cell(cell) for place, cell in grid.cells.items()}
    if max(map(len, cells.values()), default=0) > each:
        cells = {place: _letter(cell) for place, cell in grid.cells.items()}
    labels = _column_labels(grid, each)
    column = max(1, *map(len, cells.values()), *map(columns_of, labels))
    shown = min(len(grid.data), (width - margin) // (column + 1))
    lines = [f"{' ' * margin}  {' '.join(padded(label, column) for label in labels[:shown])}".rstrip()]
    for row, rung in list(enumerate(grid.model))[:_MAX_ROWS]:
        found = [padded(cells.get((row, one), _ABSENT), column) for one in range(shown)]
        lines.append(f"{padded(cut(rung.label, margin), margin)}  {' '.join(found)}".rstrip())
    return [*lines, *_left_out(grid, shown), *_numbered(grid, labels)]


def _cell(cell: Cell) -> str:
    """The letter, with the share where there is one; very small ones are not told apart."""
    share = cell.share_of_peak if isinstance(cell, PointSummary) else None
    if share is None:
        return _letter(cell)
    return f"{_letter(cell)} {percent(share.value) if share.value >= _SMALL else '<0.1 %'}"


def _letter(cell: Cell) -> str:
    if isinstance(cell, PointSummary):
        return LETTERS[cell.diagnosis.limit]
    return _OUTCOMES.get(cell.outcome, "f") if isinstance(cell, FailedPoint) else _DROPPED


def _used(shown: Sequence[Grid]) -> list[str]:
    letters = {_letter(cell) for grid in shown for cell in grid.cells.values()}
    has_gaps = any(len(grid.cells) < len(grid.data) * len(grid.model) for grid in shown)
    return sorted(letters | ({_ABSENT} if has_gaps else set()))


def _column_labels(grid: Grid, room: int) -> list[str]:
    """The rungs by their labels, or by numbers where those have no room."""
    labels = [cut(rung.label, 1000) for rung in grid.data]
    if all(columns_of(label) <= max(room, 1) for label in labels):
        return labels
    return [str(number + 1) for number in range(len(labels))]


def _numbered(grid: Grid, labels: Sequence[str]) -> list[str]:
    if labels[0] != "1":
        return []
    ends = f"{cut(grid.data[0].label, 40)} (1) to {cut(grid.data[-1].label, 40)} ({len(labels)})"
    return [f"columns: data from {ends}"]


def _left_out(grid: Grid, shown: int) -> list[str]:
    rows, columns = len(grid.model) - _MAX_ROWS, len(grid.data) - shown
    said = [f"{rows} more rungs of model"] if rows > 0 else []
    said += [f"{columns} more rungs of data"] if columns > 0 else []
    return [f"... and {', '.join(said)} (--json lists all)"] if said else []
