#!/usr/bin/env bash
# Makes docs/gallery and the figure of the README from the bundles in results/reference: imported, verified, reported.
set -euo pipefail
cd "$(dirname "$0")/.."
gallery=$PWD/docs/gallery
saih=${SAIH:-$PWD/.venv/bin/saih}
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
for program in "$saih" pdftoppm "${chromium:-chromium}"; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is missing; install SAIH (make demo), poppler-utils and chromium." >&2
        exit 3
    fi
done
work=$(mktemp -d "${TMPDIR:-/tmp}/saih-gallery-XXXXXX")
trap 'rm -rf "$work"' EXIT

for bundle in results/reference/*.saih.zip; do
    "$saih" import "$bundle" --results "$work/results" >/dev/null
done
cd "$work"
"$saih" report laptop >/dev/null
"$saih" report ranks >/dev/null
"$saih" compare two-ranks=laptop,laptop-again one-rank-two-threads=threads --match nodes --output reports/compare.pdf >/dev/null

mkdir -p "$gallery"
rm -f "$gallery"/*.png "$gallery"/*.pdf "$gallery"/*.html
cp reports/*.pdf reports/*.html "$gallery"
for report in laptop ranks compare; do
    pdftoppm -r 60 -png -f 1 -l 1 -singlefile "reports/$report.pdf" "$gallery/$report"
    "$chromium" --headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-sync \
        --hide-scrollbars --user-data-dir="$work/chromium" --window-size=1100,1500 \
        --screenshot="$gallery/$report-html.png" "file://$work/reports/$report.html" >/dev/null 2>&1
done
pdftoppm -r 90 -png -f 1 -l 1 -singlefile reports/laptop.pdf "$gallery/../demo-summary"
ls "$gallery"
