"""How hidden states are written on a link between two devices; arithmetic only."""

from enum import StrEnum

_SCALE_BYTES = 4
"""Of one row: a float32."""


class WireFormat(StrEnum):
    """What a link carries in place of each value."""

    EXACT = "exact"
    """The values as they are computed."""
    BFLOAT16 = "bfloat16"
    """Rounded to 8 significant bits: relative error of each value at most 2^-8."""
    INT8 = "int8"
    """Whole numbers from -127 to 127 and one scale a row: errors up to 1/254 of the row's greatest."""


def wire_bytes(wire: WireFormat, num_rows: int, num_columns: int, itemsize: int) -> int:
    """Bytes of ``num_rows`` rows of hidden states on a link; ``itemsize`` is that of the arithmetic."""
    if wire is WireFormat.EXACT:
        return num_rows * num_columns * itemsize
    if wire is WireFormat.BFLOAT16:
        return num_rows * num_columns * 2
    return num_rows * (num_columns + _SCALE_BYTES)
