"""The reports of a sweep as files. Apart from the analysis: typesetting takes a second to load."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from saih.domain.trend import Analysis
from saih.reports.claims_file import ClaimsFile, encode
from saih.reports.document import Document, write
from saih.reports.html_report import write_html
from saih.reports.trend_report import trend_claims, trend_document
from saih.store.bundle_origin import ceilings_root
from saih.store.record_digest import ceilings_digests, record_digests
from saih.store.sweep_folder import SweepFolder

Format = Literal["pdf", "html"]


def write_reports(
    folder: SweepFolder, analysis: Analysis, reports_folder: Path, formats: Sequence[Format]
) -> Mapping[Format, Path]:
    """Write the report of a folder of results in each of ``formats``; gives their paths.

    All of them have the same content and carry the same claims.

    Raises:
        SaihError: when a file cannot be written.
    """
    document = trend_document(analysis)
    claims_json = encode(claims_now(folder, analysis, document))
    return {
        kind: write_as(kind, analysis, document, claims_json, reports_folder / f"{folder.name}.{kind}")
        for kind in dict.fromkeys(formats)
    }


def write_as(kind: Format, analysis: Analysis, document: Document, claims_json: str, path: Path) -> Path:
    """Write ``document``, which was made from ``analysis``, in one format to ``path``; gives ``path``."""
    if kind == "pdf":
        return write(document, path, claims_json)
    return write_html(analysis, document, claims_json, path)


def claims_now(folder: SweepFolder, analysis: Analysis, document: Document) -> ClaimsFile:
    """What ``document``, made from the folder as it is, says and rests on."""
    return trend_claims(
        analysis, document, record_digests(folder), ceilings_digests(ceilings_root(folder), analysis.ceilings)
    )
