"""Tables for a terminal: aligned columns under a rule, no wider than the terminal where that can be."""

import re
from collections.abc import Collection, Sequence

from saih.domain.quantity import NO_BREAK
from saih.reports.terminal_text import columns_of, cut, padded

_NUMBER_LIKE = re.compile(r"[-+]?[0-9.]+([^\w^].*)?", re.DOTALL)
_GAP = 2
_FEWEST_COLUMNS = 8
"""Texts are cut down to this, not further."""


def table_lines(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    cuttable: Sequence[Collection[int]] = (),
    num_keys: int = 1,
) -> list[str]:
    """The rows under a header and a rule; columns of numbers are aligned to the right.

    Where they are wider than ``width``, groups of ``cuttable`` columns are cut one group after the other,
    the widest column of each first. Columns that find no room even then follow below, beside the first
    ``num_keys`` again. Nothing else is ever cut.
    """
    if not rows:
        return []
    columns = [[cell.replace(NO_BREAK, " ") for cell in column] for column in zip(header, *rows, strict=True)]
    widths = [max(map(columns_of, column)) for column in columns]
    if width is not None:
        widths = _narrowed(widths, width, cuttable)
    blocks = [_block(columns, widths, part) for part in _parts(widths, width, num_keys)]
    return [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]


def _narrowed(widths: Sequence[int], width: int, cuttable: Sequence[Collection[int]]) -> list[int]:
    found = list(widths)
    for group in cuttable:
        while _total(found) > width:
            able = [column for column in group if found[column] > _FEWEST_COLUMNS]
            if not able:
                break
            found[max(able, key=lambda column: found[column])] -= 1
    return found


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _parts(widths: Sequence[int], width: int | None, num_keys: int) -> list[list[int]]:
    """Numbers of the columns that stand beside each other."""
    everything = list(range(len(widths)))
    if width is None or _total(widths) <= width:
        return [everything]
    keys, parts = everything[:num_keys], [everything[:num_keys]]
    for column in everything[num_keys:]:
        is_full = _total([widths[one] for one in (*parts[-1], column)]) > width
        if is_full and len(parts[-1]) > num_keys:
            parts.append(list(keys))
        parts[-1].append(column)
    return parts


def _block(columns: Sequence[Sequence[str]], widths: Sequence[int], part: Sequence[int]) -> list[str]:
    is_right = {
        one: all(_NUMBER_LIKE.fullmatch(cell) or not cell for cell in columns[one][1:]) for one in part
    }
    made = [
        (" " * _GAP)
        .join(
            padded(cut(columns[one][row], widths[one]), widths[one], is_right=is_right[one]) for one in part
        )
        .rstrip()
        for row in range(len(columns[0]))
    ]
    return [made[0], (" " * _GAP).join("-" * widths[one] for one in part), *made[1:]]
