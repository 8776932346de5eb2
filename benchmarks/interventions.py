"""Are causes named rightly? Known ones are put into a real run of 2 ranks, and the analyzer is asked.

    python -m benchmarks.interventions [--quick] [--causes NAME ...] [--seed N] [--keep FOLDER]

CosmoFlow is trained on 2 ranks that exchange gradients. Runs with one of seven causes at three doses (shares
of the undisturbed step), with two causes, and with none (sham) are made in a random order among undisturbed
runs. The cause sits in the application: SAIH measures it like any other, and records differ in nothing but
their seeds and what was measured. Judged is the class that the analyzer finds to have taken most of the time
that was lost against the undisturbed run measured closest in time. ``mixed``, ``unexplained`` and no sure
loss are neither right nor false, and count against the first bar. Runs that the analyzer refuses, because
others used the processors, are shown by themselves and measured again; where all are refused no bar is met.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from benchmarks.bars import judge
from benchmarks.injected_causes import Cause
from benchmarks.injected_plan import faults
from benchmarks.interventions_runs import Bench, Wanted, lost, not_judged
from benchmarks.interventions_scoring import (
    Judged,
    Score,
    dose_slope,
    is_named_alone,
    leads_beside_contention,
    score,
    shares,
    table,
)
from benchmarks.interventions_verified import put_to_the_test, report_tested
from saih.launch.event import Event

DOSES = (0.25, 0.5, 1.0)
NUM_REPEATS, NUM_SHAMS, NUM_PAIR_REPEATS = 5, 20, 1
QUICK_DOSES, QUICK_SHAMS = (0.5, 1.0), 2
PAIR_DOSE = 0.6
LEAST_RIGHT, MOST_FALSE = 0.95, 0.05
SLOPE = (0.8, 1.2)
RUNS_PER_REFERENCE = 3
NUM_VERIFIED = 1
"""Runs of each cause whose verdict is put to the test; one takes half a minute."""
NUM_ROUNDS = 3
"""Contended runs are measured again, but not for ever."""
PAIRS = tuple(
    pair
    for pair in combinations((Cause.STORAGE, Cause.EXCHANGE, Cause.ARITHMETIC, Cause.TRAFFIC, Cause.TINY), 2)
)


def main(arguments: Sequence[str]) -> int:
    """Print the matrix and the bars; 1 when one is missed."""
    options = _options(arguments)
    causes = tuple(Cause[name.upper()] for name in options.causes)
    wanted = wanted_runs(causes, is_quick=options.quick)
    print(f"seed {options.seed}: {len(wanted)} runs to judge", flush=True)
    with _folder(options.keep) as root:
        bench = Bench(root, options.seed, faults(), _hear)
        runs = _measured(bench, wanted, 1 if options.quick else NUM_ROUNDS)
        report(runs)
        tested = [] if options.quick else report_tested(runs, put_to_the_test(bench, runs, NUM_VERIFIED))
    absent = ("runs without a record", len(lost(wanted, runs)) / len(wanted), "<=", 0.0)
    are_met = [meets(*bar) for bar in (*bars(runs), absent, *tested)]
    return 0 if all(are_met) else 1


def wanted_runs(causes: Sequence[Cause], *, is_quick: bool) -> list[Wanted]:
    """Every cause at every dose, shams, and pairs of causes."""
    doses, repeats = (QUICK_DOSES, 1) if is_quick else (DOSES, NUM_REPEATS)
    single = [
        Wanted(causes=(cause,), dose=dose) for cause in causes for dose in doses for _ in range(repeats)
    ]
    shams = [Wanted(causes=(), dose=0.0)] * (QUICK_SHAMS if is_quick else NUM_SHAMS)
    pairs = [pair for pair in PAIRS if set(pair) <= set(causes)][: 2 if is_quick else None]
    return [*single, *shams, *(Wanted(causes=pair, dose=PAIR_DOSE) for pair in pairs)]


def report(runs: Sequence[Judged]) -> None:
    """The confusion matrix, and every run that was not named right."""
    print(f"\n{table(runs)}\n")
    for run in runs:
        if score(run) in (Score.FALSE, Score.NEITHER):
            name = " + ".join(run.causes) or "sham"
            said = "nothing" if run.named is None else run.named
            added = f"{run.added_ns.value / 1e6:.1f} ms, put in {run.predicted_ns / 1e6:.1f} ms"
            first = ", ".join(run.ranking[:3])
            print(f"{score(run)}: {name} at {run.dose:.0%}: said {said} (first {first}); step + {added}")


def bars(runs: Sequence[Judged]) -> list[tuple[str, float, str, float]]:
    """Name, value, operator and limit of each bar."""
    single = [run for run in runs if len(run.causes) == 1]
    several = [run for run in runs if len(run.causes) > 1]
    judged = [run for run in runs if score(run) is not Score.CONTENDED]
    alone = [run for run in single if not run.is_contended and run.dose >= 1]
    print(f"contended and not judged: {len(runs) - len(judged)} of {len(runs)} runs")
    refused = [run for run in runs if run.is_contended and run.causes]
    if refused:
        right = sum(map(leads_beside_contention, refused))
        print(f"in them, contention aside, the causes took most of the lost time in {right}/{len(refused)}")
    if alone:
        print(
            f"the verdict of the run by itself is the cause in {sum(map(is_named_alone, alone))}/{len(alone)}"
        )
    found = [
        ("named right", shares([*single, *several])[Score.RIGHT], ">=", LEAST_RIGHT),
        ("false claims", shares(runs)[Score.FALSE], "<=", MOST_FALSE),
        ("shams called something", shares([run for run in runs if not run.causes])[Score.FALSE], "<=", 0.05),
    ]
    slope = dose_slope(single)
    value = math.nan if slope is None else slope.value
    return [
        *found,
        ("dose slope at least", value, ">=", SLOPE[0]),
        ("dose slope at most", value, "<=", SLOPE[1]),
    ]


def meets(name: str, value: float, operator: str, limit: float) -> bool:
    """Print a bar; whether it is met."""
    return judge(name, value, "share", operator, limit)


def _measured(bench: Bench, wanted: Sequence[Wanted], num_rounds: int) -> list[Judged]:
    step = bench.undisturbed()
    print(f"undisturbed step {step.step_ns / 1e6:.1f} ms, batch made in {step.produce_ns / 1e6:.1f} ms")
    runs: list[Judged] = []
    for _ in range(num_rounds):
        missing = not_judged(wanted, runs)
        if not missing:
            break
        runs = bench.measure(missing, step, 1 + len(missing) // RUNS_PER_REFERENCE)
    return runs


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [cause.name.lower() for cause in Cause]
    parser.add_argument("--quick", action="store_true", help="fewer runs, within 3 minutes")
    parser.add_argument("--causes", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9 % 10**6, help="of the runs")
    parser.add_argument("--keep", type=Path, help="keep the records in this folder")
    return parser.parse_args(arguments)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="saih-interventions-") as root:
        yield Path(root)


def _hear(event: Event) -> None:
    if event["event"] == "point_end" and event["outcome"] != "completed":
        print(f"a run ended as {event['outcome']}: {event['reason']}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
