"""What a trustworthy trend costs: the sweep ``laptop`` as a user runs it, from nothing to its report.

Its 12 points are measured until their median step is known to 2 %, or their budget is spent. The parts
are timed by the commands that a user would give one after the other; ``saih sweep laptop`` does all of it
at once.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import judge
from benchmarks.saih_command import Done, saih

SWEEP, NAME = "laptop", "trend"
POINTS_LIMIT_S = 180.0
SURE = "interval "
"""How the reason begins for which a point ended that is known as well as was asked."""
_QUICK = ("--axis", "model", "--set", "base.data.resolution=16", "--set", "timing.budget_s=2")


def main(arguments: Sequence[str]) -> int:
    """Print the time of each part and the intervals, and the bars; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 points of 16^3")
    options = parser.parse_args(arguments)
    rest = _QUICK if options.quick else ()
    with tempfile.TemporaryDirectory(prefix="saih-trend-") as name:
        parts = _run(Path(name), rest)
        points = saih(Path(name), ["analyze", NAME, "--json"]).document["points"]
    _show(parts, points)
    num_sure = sum(point["stop_reason"].startswith(SURE) for point in points)
    met = [
        judge("laptop sweep, its points", parts["points"].duration_s, "s", "<", POINTS_LIMIT_S),
        judge("points known to 2 %", 100 * num_sure / len(points), "%", ">=", 100),
    ]
    return 0 if all(met) else 1


def _run(folder: Path, rest: Sequence[str]) -> Mapping[str, Done]:
    asked = (SWEEP, *rest, "--name", NAME)
    parts = {"data sets": saih(folder, ["generate", *asked])}
    parts["ceilings"] = saih(folder, ["ceilings", *asked])
    parts["points"] = saih(folder, ["sweep", *asked, "--no-report"])
    parts["report"] = saih(folder, ["report", NAME])
    return parts


def _show(parts: Mapping[str, Done], points: Sequence[Mapping[str, Any]]) -> None:
    total_s = sum(done.duration_s for done in parts.values())
    for name, done in parts.items():
        print(f"{name:<12} {done.duration_s:7.1f} s")
    print(f"{'everything':<12} {total_s:7.1f} s")
    print(f"\n{'point':<56} {'step [ms]':>10} {'in report [%]':>14}  why it ended")
    for point in points:
        words = ", ".join(point["labels"].values())
        step_ms = point["step_ns"]["value"] * 1e-6
        print(f"{words:<56} {step_ms:>10.2f} {_width_percent(point):>14.2f}  {point['stop_reason']}")


def _width_percent(point: Mapping[str, Any]) -> float:
    """Of the report's interval, which counts with steps that are like their neighbours."""
    step = point["step_ns"]
    return float(100 * (step["high"] - step["low"]) / step["value"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
