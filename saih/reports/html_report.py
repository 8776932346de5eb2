"""Reports as one HTML file each: everything inside, nothing fetched, the same bytes for the same content."""

from pathlib import Path

from saih.domain.trend import Analysis
from saih.reports.document import Document, publish
from saih.reports.html_data import figures_json
from saih.reports.html_page import CLAIMS_ID, Figures, page

_EXPLORE = """\
<section id="explore" aria-labelledby="to-explore" class="scripted" hidden>
<h2 id="to-explore">Explore</h2>
<p class="small">Point at a mark, or reach it by Tab and the arrow keys, to see its numbers and its record;
choose it to find its row. Turn the wheel or drag over an area to zoom.</p>
<div id="explore-trend"></div>
<div id="explore-map"></div>
<div id="explore-stack"></div>
<div id="explore-table"></div>
</section>"""


def write_html(analysis: Analysis, document: Document, claims_json: str, path: Path) -> Path:
    """Write the report of ``analysis`` with interactive figures to ``path``; gives ``path``.

    ``document`` is what ``trend_document`` makes of the same analysis; ``claims_json`` is carried as it is.

    Raises:
        SaihError: when the file cannot be written.
    """
    figures = Figures(body=_EXPLORE, data_json=figures_json(analysis))
    return publish(page(document, {CLAIMS_ID: claims_json}, figures).encode(), path)


def write_comparison_html(document: Document, claims_json: str, path: Path) -> Path:
    """Write the comparison ``document`` to ``path``, with its figures as they are; gives ``path``.

    Raises:
        SaihError: when the file cannot be written.
    """
    return publish(page(document, {CLAIMS_ID: claims_json}).encode(), path)
