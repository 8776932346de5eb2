#!/usr/bin/env bash
# Renders the first page of the demo's report as the figure of the README. Run `make demo` first.
set -euo pipefail
cd "$(dirname "$0")/.."
report=${1:-reports/laptop.pdf}
if ! command -v pdftoppm >/dev/null; then
    echo "pdftoppm is missing; install poppler (Debian: apt-get install poppler-utils)." >&2
    exit 3
fi
if [ ! -f "$report" ]; then
    echo "there is no $report; run make demo first, or name a report." >&2
    exit 2
fi
pdftoppm -r 90 -png -f 1 -l 1 -singlefile "$report" docs/demo-summary
echo docs/demo-summary.png
