"""The process of ``benchmarks.reports`` that makes one report and tells what it took, as a line of JSON."""

import json
import resource
import sys
import time
from pathlib import Path

from pypdf import PdfReader

from benchmarks.synthetic_sweep import Size, synthetic_analysis
from saih.reports.document import write
from saih.reports.html_report import write_html
from saih.reports.trend_report import trend_document

_BYTES_PER_UNIT = 1024 if sys.platform != "darwin" else 1
"""Of the largest resident memory, as the system counts it."""


def main(size_json: str, folder: str) -> None:
    """Make both forms of the report of a sweep of this size in ``folder``."""
    size = Size(**json.loads(size_json))
    analysis = synthetic_analysis(size)
    begin = time.perf_counter()
    document = trend_document(analysis)
    pdf = write(document, Path(folder, "report.pdf"))
    middle = time.perf_counter()
    html = write_html(analysis, document, "{}", Path(folder, "report.html"))
    end = time.perf_counter()
    result = {
        "num_points": size.num_points,
        "pdf_s": middle - begin,
        "html_s": end - middle,
        "pdf_bytes": pdf.stat().st_size,
        "html_bytes": html.stat().st_size,
        "num_pages": len(PdfReader(pdf).pages),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_UNIT,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
