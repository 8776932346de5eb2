"""The rung of data as tables, maps and figures show it."""

from collections.abc import Mapping

from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS

_OTHERS = ("data", "model", RANKS_AXIS, EXECUTION_LABEL)


def data_label(labels: Mapping[str, str], absent: str = "") -> str:
    """The rung of data and of axes within it, such as ``284 tokens, 125 Mbit/s``; ``absent`` for none."""
    parts = [labels.get("data", ""), *(label for axis, label in labels.items() if axis not in _OTHERS)]
    return ", ".join(part for part in parts if part) or absent
