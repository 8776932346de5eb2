"""Regenerate the validation tables of docs/method.md: what each benchmark reaches against its bars.

Every block of the document from ``<!-- figures NAME -->`` to ``<!-- end -->`` is replaced by the bars that
`python -m benchmarks.NAME` prints, with the date. A benchmark that stops without a bar leaves its block as it
was, and the command ends with 1; a bar that is not reached is a row that says so.

    python -m benchmarks.method_tables [--quick] [--only NAME ...]
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCUMENT = Path(__file__).parent.parent / "docs" / "method.md"
_BLOCK = re.compile(r"<!-- figures (?P<name>[a-z_]+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
_BAR = re.compile(
    r"^BAR (?P<name>[^:\n]+): (?P<value>\S+) ?(?P<unit>.*?) \(bar (?P<bar>[^)]*)\) (?P<result>PASS|FAIL)",
    re.MULTILINE,
)
_TIMEOUT_S = 4 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One line that a benchmark prints."""

    name: str
    value: str
    unit: str
    bar: str
    is_reached: bool


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks that the document names and put their bars in; 1 if one printed none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller runs; the tables say so")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these benchmarks only")
    options = parser.parse_args(arguments)
    text = DOCUMENT.read_text(encoding="utf-8")
    names = [match["name"] for match in _BLOCK.finditer(text)]
    unknown = sorted(set(options.only or ()) - set(names))
    if unknown:
        print(f"docs/method.md has no block {unknown[0]}; its blocks are {', '.join(names)}", file=sys.stderr)
        return 2
    missing = []
    for name in options.only or names:
        bars = bars_of(_printed(name, is_quick=options.quick))
        print(f"{name}: {len(bars)} bars, {sum(not bar.is_reached for bar in bars)} not reached", flush=True)
        if bars:
            text = with_figures(text, name, _table(name, bars, is_quick=options.quick))
            DOCUMENT.write_text(text, encoding="utf-8")
        else:
            missing.append(name)
    if missing:
        print(f"no bar was printed by {', '.join(missing)}; their blocks are as they were", file=sys.stderr)
    return 1 if missing else 0


def bars_of(printed: str) -> tuple[Bar, ...]:
    """The bars among what a benchmark printed."""
    return tuple(
        Bar(
            name=match["name"],
            value=match["value"],
            unit=match["unit"].strip(),
            bar=match["bar"],
            is_reached=match["result"] == "PASS",
        )
        for match in _BAR.finditer(printed)
    )


def with_figures(text: str, name: str, table: str) -> str:
    """The document with this table in the block of that name."""
    return _BLOCK.sub(
        lambda match: f"<!-- figures {name} -->\n{table}<!-- end -->" if match["name"] == name else match[0],
        text,
    )


def _table(name: str, bars: Sequence[Bar], *, is_quick: bool) -> str:
    option = " --quick" if is_quick else ""
    rows = "".join(
        f"| {bar.name} | {bar.value} {bar.unit} | {bar.bar} | "
        f"{'reached' if bar.is_reached else '**missed**'} |\n"
        for bar in bars
    )
    head = f"`python -m benchmarks.{name}{option}`, {datetime.now(UTC):%Y-%m-%d}:\n\n"
    return f"{head}| figure | value | bar | |\n|---|---|---|---|\n{rows}"


def _printed(name: str, *, is_quick: bool) -> str:
    command = [sys.executable, "-m", f"benchmarks.{name}", *(["--quick"] if is_quick else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return ""
    sys.stderr.write(done.stderr[-2_000:])
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
