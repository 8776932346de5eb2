"""Records of a sweep written in formats of others."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.commands.analysis import analysis_of
from saih.domain.errors import SaihError, UsageError
from saih.domain.record import Record
from saih.interchange.mllog import encode
from saih.interchange.mllog_export import Submitter, events_of, unfilled
from saih.store.sweep_folder import SweepFolder, read_records


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what a format asks for and the records do not hold."""

    paths: tuple[Path, ...]
    unfilled: Mapping[str, str]
    """Key of the format -> why it stays away."""
    damages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Text:
    content: str
    suffix: str
    unfilled: Mapping[str, str]


def export_folder(
    folder: SweepFolder, data_folder: Path, output: Path, text_format: str, submitter: Submitter
) -> Exported:
    """Write one file for each completed point that the analysis believes; files of that name are replaced.

    Raises:
        UsageError: when there is no such point.
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
    texts = [FORMATS[text_format](record, submitter) for record in records]
    missing = {key: reason for text in texts for key, reason in text.unfilled.items()}
    return Exported(paths=_write(output, records, texts), unfilled=missing, damages=damages)


def _mllog(record: Record, submitter: Submitter) -> _Text:
    events = events_of(record, submitter)
    lines = "".join(f"{encode(event)}\n" for event in events)
    return _Text(content=lines, suffix=".mllog", unfilled=unfilled(events))


FORMATS: Mapping[str, Callable[[Record, Submitter], _Text]] = {"mllog": _mllog}
"""Every format by the name that ``--format`` takes."""


def _write(output: Path, records: Sequence[Record], texts: Sequence[_Text]) -> tuple[Path, ...]:
    paths = []
    try:
        output.mkdir(parents=True, exist_ok=True)
        for record, text in zip(records, texts, strict=True):
            path = output / f"{record.record_id.replace('/', '_')}{text.suffix}"
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            try:
                temporary.write_text(text.content, encoding="utf-8")
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            paths.append(path)
    except OSError as error:
        problem = f"{output} cannot be written to: {error.strerror}"
        raise SaihError(problem, "give a folder that you may write to, with space left.") from error
    return tuple(paths)
