"""Tables in plain text: aligned columns, numbers to the right, as wide as what they hold."""

import re
from collections.abc import Sequence

_NUMBER_LIKE = re.compile(r"[-+]?[0-9.]+(\W.*)?", re.DOTALL)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows under a header and a rule; columns of numbers are aligned to the right."""
    if not rows:
        return ""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    is_right = [all(_NUMBER_LIKE.fullmatch(cell) or not cell for cell in column[1:]) for column in columns]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_right, strict=True)
        ).rstrip()
        for line in lines
    )
