"""Rows as a Parquet file, where pyarrow is installed."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from saih.domain.errors import EnvironmentMissing

_ROWS_PER_GROUP = 100_000
Row = Mapping[str, str | float | int | None]


def write_parquet(path: Path, kinds: Mapping[str, type], rows: Iterable[Row]) -> None:
    """Write rows whose columns have these kinds; groups of rows are written one after the other.

    Raises:
        EnvironmentMissing: where pyarrow is not installed.
        OSError: when the file cannot be written.
    """
    arrow, parquet = _arrow()
    types = {str: arrow.string(), float: arrow.float64(), int: arrow.int64()}
    schema = arrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    waiting = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, _ROWS_PER_GROUP)):
            columns = {name: [row.get(name) for row in group] for name in kinds}
            writer.write_table(arrow.table(columns, schema=schema))


def _arrow() -> tuple[Any, Any]:
    """Pyarrow and its module for Parquet, which have no types."""
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional, and slow to load
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise EnvironmentMissing(
            f"Parquet needs pyarrow, which cannot be loaded: {error}", "pip install 'saih[parquet]'."
        ) from error
    return pa, parquet
