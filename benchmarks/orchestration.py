"""What running a sweep costs beside its measurements: per trivial point, per submission, and per listing.

``python -m benchmarks.orchestration [--quick] [--part overhead|packing|scale]``. Overhead is compared with
ReFrame and JUBE in the same run, on this machine: each suite brings two numbers of trivial points to their
end by one command each, in turns; the difference tells what one more point costs, the rest is the start.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import orchestration_scale as scale
from benchmarks.orchestration_packing import measure_packing
from benchmarks.orchestration_peers import Suite, seconds, suites
from saih.domain.interval import median

PARTS = ("overhead", "packing", "scale")
COUNTS = {"SAIH": (20, 620), "ReFrame": (10, 60), "JUBE": (20, 220)}
QUICK_COUNTS = {"SAIH": (20, 320), "ReFrame": (4, 16), "JUBE": (10, 60)}
"""Two numbers of points for each suite, far enough apart for what one of its points costs."""
ROUNDS, QUICK_ROUNDS = 5, 1
NUM_PACKED = 100
RANKS_LIMIT_S, RANKS_LIMIT_BYTES = 2.0, 500e6
WORDS = {True: "PASS", False: "FAIL"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One claim and what was found."""

    name: str
    value: str
    limit: str
    is_met: bool

    def line(self) -> str:
        """As every benchmark ends."""
        return f"BAR {self.name}: {self.value} (bar {self.limit}) {WORDS[self.is_met]}"


def overhead(*, is_quick: bool) -> list[Bar]:
    """Seconds of one more trivial point, against each peer."""
    found, missing = suites()
    for reason in missing:
        print(f"missing: {reason}")
    counts = QUICK_COUNTS if is_quick else COUNTS
    rounds = QUICK_ROUNDS if is_quick else ROUNDS
    times: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="saih-orchestration-") as name:
        for turn in range(rounds):
            for suite in found:
                for count in counts[suite.name]:
                    folder = Path(name) / f"{suite.name}-{count}-{turn}"
                    times.setdefault((suite.name, count), []).append(seconds(suite, count, folder))
    print(
        f"{'suite':<9} {'points':>6} {'[s]':>7} {'points':>7} {'[s]':>7} {'start [s]':>10} "
        f"{'one more point [ms]':>20}"
    )
    each = {suite.name: _told(suite, counts[suite.name], times) for suite in found}
    own = each.pop("SAIH")
    bars = [
        Bar(
            name=f"one more point against {name}",
            value=f"{1e3 * own:.1f} ms",
            limit=f"< {1e3 * peer:.1f} ms",
            is_met=own < peer,
        )
        for name, peer in each.items()
    ]
    return bars + [Bar(name="peers", value="; ".join(missing), limit="none missing", is_met=False)] * bool(
        missing
    )


def _told(suite: Suite, counts: tuple[int, int], times: dict[tuple[str, int], list[float]]) -> float:
    """One more point [s]: the median over the rounds of what the larger number took longer."""
    few, many = counts
    few_s, many_s = times[suite.name, few], times[suite.name, many]
    each = median([(long - short) / (many - few) for short, long in zip(few_s, many_s, strict=True)])
    start = median(few_s) - few * each
    print(
        f"{suite.name:<9} {few:>6} {median(few_s):>7.2f} {many:>7} {median(many_s):>7.2f} {start:>10.2f} "
        f"{1e3 * each:>20.1f}"
    )
    return each


def packing() -> list[Bar]:
    """Scheduler jobs for many small points, through a real Slurm."""
    with tempfile.TemporaryDirectory(prefix="saih-packing-") as name:
        found = measure_packing(NUM_PACKED, Path(name))
    print(
        f"{NUM_PACKED} points through Slurm on this machine: {found.num_completed} completed, "
        f"{found.num_calls} call of sbatch, {found.spent_s:.0f} s from submission to collection"
    )
    return [
        Bar(
            name=f"calls of sbatch for {NUM_PACKED} points",
            value=f"{found.num_calls} calls, {found.num_completed} completed",
            limit=f"<= 1 call, {NUM_PACKED} completed",
            is_met=found.num_calls <= 1 and found.num_completed == NUM_PACKED,
        )
    ]


def scaling(*, is_quick: bool) -> list[Bar]:
    """Listing, planning, reading and analyzing large stores; rank 0 among thousands."""
    tell: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731 - one line
    sizes = scale.QUICK_SIZES if is_quick else scale.SIZES
    found = scale.measure_sizes(sizes, tell)
    ranks = scale.measure_ranks(tell)
    few, many = sizes[0], sizes[-1]
    listing_s = found[many]["states"].processor_s
    bars = [
        Bar(
            name=f"states of {many} points",
            value=f"{listing_s:.2f} s",
            limit=f"< {scale.STATUS_LIMIT_S:g} s",
            is_met=listing_s < scale.STATUS_LIMIT_S,
        )
    ]
    for task in scale.TASKS:
        growth = (found[many][task].processor_s / many) / (found[few][task].processor_s / few)
        bars.append(
            Bar(
                name=f"growth of {task} from {few} to {many} points",
                value=f"{growth:.2f} x a point",
                limit=f"<= {scale.GROWTH_LIMIT:g} x a point",
                is_met=growth <= scale.GROWTH_LIMIT,
            )
        )
    bars.append(
        Bar(
            name=f"rank 0 of {scale.NUM_RANKS} ranks, one point",
            value=f"{ranks.processor_s:.2f} s, {ranks.peak_bytes / 1e6:.0f} MB",
            limit=f"<= {RANKS_LIMIT_S:g} s, {RANKS_LIMIT_BYTES / 1e6:.0f} MB",
            is_met=ranks.processor_s <= RANKS_LIMIT_S and ranks.peak_bytes <= RANKS_LIMIT_BYTES,
        )
    )
    return bars


def main(arguments: Sequence[str]) -> int:
    """Print tables and bars; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, within 50 s")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part (repeatable)")
    options = parser.parse_args(arguments)
    parts = options.part or PARTS
    bars = overhead(is_quick=options.quick) if "overhead" in parts else []
    bars += packing() if "packing" in parts else []
    bars += scaling(is_quick=options.quick) if "scale" in parts else []
    for bar in bars:
        print(bar.line())
    return 0 if all(bar.is_met for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
