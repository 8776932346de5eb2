"""Files of others to trends and their reports."""

import re
from collections.abc import Sequence
from pathlib import Path

from saih.analyzer.series import trend_of
from saih.domain.errors import UsageError
from saih.domain.series import SeriesKind
from saih.domain.series_trend import SeriesTrend
from saih.interchange.series_csv import COLUMNS
from saih.interchange.series_file import read_series
from saih.interchange.series_rows import Told
from saih.reports.document import publish, write
from saih.reports.html_page import page
from saih.reports.series_report import series_document

_NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]+")
_LONGEST_FILE_NAME = 200
"""Bytes; file systems take 255."""


def read_trends(files: Sequence[Path], told: Told) -> tuple[SeriesTrend, ...]:
    """The trends of all series in these files; ``told`` is what the user tells where a file does not.

    Raises:
        UsageError: when there is no such file.
        DamagedData: when one cannot be read, by its line.
    """
    return tuple(trend_of(series) for file in files for series in read_series(file, told))


def told_of(columns: Sequence[str], unit: str | None, kind: str | None) -> Told:
    """The options of the command line.

    Raises:
        UsageError: for a word that is not OURS=THEIRS, or a column named twice.
    """
    found: dict[str, str] = {}
    for word in columns:
        ours, equals, theirs = word.partition("=")
        if not equals or not theirs or ours not in COLUMNS or ours in found:
            raise UsageError(
                f"--column {word!r} names no column of ours once",
                f"write OURS=THEIRS; ours are {', '.join(COLUMNS)}.",
            )
        found[ours] = theirs
    return Told(columns=found, unit=unit or "", kind=SeriesKind(kind) if kind else None)


def write_series_reports(
    trends: Sequence[SeriesTrend], files: Sequence[Path], reports: Path, formats: Sequence[str]
) -> dict[str, str]:
    """Write the report in each of ``formats``; gives their paths by format.

    Raises:
        SaihError: when a file cannot be written.
    """
    if not formats:
        return {}
    title = ", ".join(file.name or str(file) for file in files)
    stem = _NOT_IN_FILE_NAMES.sub("-", files[0].resolve().stem).strip("-.") or "series"
    path = reports / f"trends-of-{stem}".encode()[:_LONGEST_FILE_NAME].decode(errors="ignore")
    document = series_document(trends, title)
    paths = {}
    for kind in dict.fromkeys(formats):
        target = path.with_name(f"{path.name}.{kind}")
        written = write(document, target) if kind == "pdf" else publish(page(document, {}).encode(), target)
        paths[kind] = str(written)
    return paths
