"""Records of a sweep written in formats of others."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from saih.analyzer.summary import deciding_phases
from saih.commands.analysis import analysis_of
from saih.domain.errors import SaihError, UsageError
from saih.domain.record import Phase, Record, Steps
from saih.domain.trend import Analysis, PointSummary
from saih.interchange.extrap_export import GridPoint, extrap_lines, grids_of
from saih.interchange.mllog import encode
from saih.interchange.mllog_export import Submitter, events_of, unfilled
from saih.interchange.parquet_export import Row, write_parquet
from saih.interchange.series_export import COLUMNS, csv_line, csv_lines, rows_of, series_of_analysis
from saih.store.sweep_folder import SweepFolder, read_records

_SERIES_KINDS: Mapping[str, type] = {
    **dict.fromkeys(COLUMNS, str),
    **dict.fromkeys(("size", "value", "low", "high", "level"), float),
    "count": int,
}
_STEP_KINDS: Mapping[str, type] = {
    "record": str, "rank": int, "step": int, "step_ns": int, **{f"{phase}_ns": int for phase in Phase}
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what a format asks for and the records do not hold."""

    paths: tuple[Path, ...]
    unfilled: Mapping[str, str]
    """Key of the format -> why it stays away."""
    damages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    analysis: Analysis
    records: Sequence[Record]
    """Of the points that the analysis believes."""
    submitter: Submitter


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    name: str
    write: Callable[[Path], None]
    unfilled: Mapping[str, str] = field(default_factory=dict)


def export_folder(
    folder: SweepFolder, data_folder: Path, output: Path, text_format: str, submitter: Submitter
) -> Exported:
    """Write the completed points that the analysis believes; files of the same names are replaced.

    Raises:
        UsageError: when there is no such point.
        EnvironmentMissing: when the format needs something that is not installed.
        SaihError: when the folder cannot be written to.
    """
    analysis, damages = analysis_of(folder, data_folder)
    believed = {point.record_id for point in analysis.points}
    records = [record for record in read_records(folder)[0] if record.record_id in believed]
    if not records:
        raise UsageError(
            f"the sweep {folder.name} has no completed point to export",
            f"see `saih status {folder.name}` for what became of its points.",
        )
    files = list(FORMATS[text_format](_Source(analysis=analysis, records=records, submitter=submitter)))
    missing = {key: reason for file in files for key, reason in file.unfilled.items()}
    return Exported(paths=_write(output, files), unfilled=missing, damages=damages)


def _mllog(source: _Source) -> Iterator[_File]:
    for record in source.records:
        events = events_of(record, source.submitter)
        lines = [f"{encode(event)}\n" for event in events]
        name = f"{record.record_id.replace('/', '_')}.mllog"
        yield _File(name=name, write=_text_writer(lines), unfilled=unfilled(events))


def _csv(source: _Source) -> Iterator[_File]:
    """Medians as ``saih trends`` reads them, and every step."""
    name = source.analysis.sweep_name
    series = series_of_analysis(source.analysis)
    yield _File(name=f"{name}-trends.csv", write=_text_writer(csv_lines(series)))
    yield _File(name=f"{name}-steps.csv", write=_text_writer(_step_lines(source.records)))


def _parquet(source: _Source) -> Iterator[_File]:
    """The tables of ``_csv``."""
    name = source.analysis.sweep_name
    rows = rows_of(series_of_analysis(source.analysis))
    yield _File(name=f"{name}-trends.parquet", write=lambda path: write_parquet(path, _SERIES_KINDS, rows))
    steps = _step_rows(source.records)
    yield _File(name=f"{name}-steps.parquet", write=lambda path: write_parquet(path, _STEP_KINDS, steps))


def _extrap(source: _Source) -> Iterator[_File]:
    """Points of different sizes share a file: Extra-P cannot tell points of the same sizes apart."""
    records = {record.record_id: record for record in source.records}
    points = [
        _grid_point(point, records[point.record_id], sizes)
        for point, sizes in zip(source.analysis.points, _shared_sizes(source.analysis.points), strict=True)
    ]
    grids = grids_of(points)
    for number, grid in enumerate(grids, start=1):
        suffix = f"-{number}" if len(grids) > 1 else ""
        yield _File(name=f"{source.analysis.sweep_name}{suffix}.txt", write=_text_writer(extrap_lines(grid)))


FORMATS: Mapping[str, Callable[[_Source], Iterator[_File]]] = {
    "mllog": _mllog,
    "csv": _csv,
    "parquet": _parquet,
    "extrap": _extrap,
}
"""Every format by the name that ``--format`` takes."""


def _shared_sizes(points: Sequence[PointSummary]) -> Iterator[Mapping[str, float]]:
    """Sizes of each point, the same for the same rung: that of a model moves a little with the data."""
    first: dict[tuple[str, str], float] = {}
    for point in points:
        yield {
            axis: first.setdefault((axis, point.labels.get(axis, f"{size:g}")), size)
            for axis, size in point.axis_sizes.items()
        }


def _grid_point(point: PointSummary, record: Record, sizes: Mapping[str, float]) -> GridPoint:
    """Every step of a point and its phases, on the rank that decides each."""
    steps = record.result.steps
    if steps is None:
        raise ValueError(f"{record.record_id} is believed and has no steps")
    deciding = deciding_phases(steps, record.point.ranks_that_meet)
    phases = {f"step->{phase}": (row * 1e-9).tolist() for phase, row in deciding.items()}
    seconds = {"step": [duration_ns * 1e-9 for duration_ns in steps.slowest_ns], **phases}
    return GridPoint(sizes=sizes, seconds=seconds)


def _step_lines(records: Sequence[Record]) -> Iterator[str]:
    yield csv_line(list(_STEP_KINDS))
    for row in _step_rows(records):
        yield csv_line(["" if (cell := row.get(name)) is None else cell for name in _STEP_KINDS])


def _step_rows(records: Sequence[Record]) -> Iterator[Row]:
    """Every step of every rank that was kept whole [ns]."""
    for record in records:
        if record.result.steps is not None:
            yield from _rows_of_record(record.record_id, record.result.steps)


def _rows_of_record(record_id: str, steps: Steps) -> Iterator[Row]:
    ranks = range(steps.num_ranks) if steps.summary is None else steps.summary.kept
    for row, rank in enumerate(ranks):
        for step, step_ns in enumerate(steps.step_ns[row]):
            phases = {f"{phase}_ns": table[row][step] for phase, table in steps.duration_ns.items()}
            yield {"record": record_id, "rank": rank, "step": step, "step_ns": step_ns, **phases}


def _text_writer(lines: Iterable[str]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(lines)

    return write


def _write(output: Path, files: Sequence[_File]) -> tuple[Path, ...]:
    paths = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for file in files:
            path = output / file.name
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                file.write(temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            paths.append(path)
    except OSError as error:
        problem = f"{output} cannot be written to: {error.strerror}"
        raise SaihError(problem, "give a folder that you may write to, with space left.") from error
    return tuple(paths)
