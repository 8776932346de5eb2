"""Tables in plain text, as commands print them."""

from collections.abc import Collection, Sequence

from saih.reports.terminal_table import table_lines


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    cuttable: Sequence[Collection[int]] = (),
) -> str:
    """The rows under a header and a rule, as wide as what they hold, or at most ``width`` (see there)."""
    return "\n".join(table_lines(header, rows, width=width, cuttable=cuttable))
