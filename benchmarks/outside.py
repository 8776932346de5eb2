"""Are causes outside the application named rightly, or refused for a reason?

    python -m benchmarks.outside [--quick] [--causes NAME ...] [--seed N] [--keep FOLDER]

CosmoFlow is trained on 2 ranks, each in a network namespace of its own, with batches read from the disk. In
some runs the link between them is throttled (tbf), the disk (control group), the processors (quota), or
neighbours compute on the same cores. What this machine does not allow is named as absent, with the reason. A
run counts as right when the cause is named, and as well when the analyzer refuses to judge it since it is
contended, and says so. Needs root, for namespaces and control groups; both are removed after any end.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from benchmarks.interventions import DOSES, RUNS_PER_REFERENCE, meets
from benchmarks.interventions_runs import NUM_RANKS, PROBLEM, Bench, Faults, Step, Wanted, lost
from benchmarks.interventions_scoring import Judged, Score, row_name, score, shares, table
from benchmarks.outside_causes import RIGHT, Measure, Outside, Places, write_places, write_plan
from benchmarks.outside_groups import control_groups
from benchmarks.outside_network import linked_namespaces
from saih.domain.trend import Limit
from saih.launch.event import Event
from workloads import catalog

LEAST_RIGHT, MOST_FALSE = 0.90, 0.10
NUM_REPEATS, NUM_SHAMS = 4, 4


def main(arguments: Sequence[str]) -> int:
    """Print the matrix and the bars; 1 when one is missed."""
    options = _options(arguments)
    with _ended_by_signals(), ExitStack() as stack:
        root = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="saih-outside-")))
        (root / "data").mkdir(parents=True, exist_ok=True)
        places, absent = _places(stack, root)
        write_places(root / "data", places)
        for cause, reason in absent.items():
            print(f"absent: {cause}: {reason}")
        causes = [Outside[name.upper()] for name in options.causes if Outside[name.upper()] not in absent]
        wanted = wanted_runs(causes, is_quick=options.quick)
        bench = Bench(root, options.seed, faults(places), _hear)
        step = bench.undisturbed()
        print(f"undisturbed step {step.step_ns / 1e6:.1f} ms, batch made in {step.produce_ns / 1e6:.1f} ms")
        runs = bench.measure(wanted, step, 1 + len(wanted) // RUNS_PER_REFERENCE)
    return report(runs, len(lost(wanted, runs)))


def wanted_runs(causes: Sequence[Outside], *, is_quick: bool) -> list[Wanted]:
    """Every cause at every dose, and shams."""
    doses, repeats = (DOSES[-1:], 1) if is_quick else (DOSES[1:], NUM_REPEATS)
    single = [
        Wanted(causes=(cause,), dose=dose) for cause in causes for dose in doses for _ in range(repeats)
    ]
    return [*single, *([Wanted(causes=(), dose=0.0)] * (1 if is_quick else NUM_SHAMS))]


def report(runs: Sequence[Judged], num_lost: int) -> int:
    """Print the matrix and the bars; 1 when one is missed. ``num_lost`` runs have no record."""
    print(f"\n{table(runs)}\n")
    for run in runs:
        if run.reason or score(run) is not Score.RIGHT:
            said = run.reason or f"said {run.named or 'nothing'}, first {', '.join(run.ranking[:3])}"
            print(f"{score(run)}: {row_name(run)} at {run.dose:.0%}: {said}")
    single = [run for run in runs if run.causes]
    right = sum(is_right_or_refused(run) for run in single) / max(1, len(single))
    wrong = shares(runs)[Score.FALSE]
    refused = sum(score(run) is Score.CONTENDED for run in single)
    print(f"refused, since contended: {refused} of {len(single)} runs with a cause")
    are_met = [
        meets("outside named right or refused", right, ">=", LEAST_RIGHT),
        meets("outside false claims", wrong, "<=", MOST_FALSE),
        meets("outside runs without a record", num_lost / (len(runs) + num_lost), "<=", 0.0),
    ]
    return 0 if all(are_met) else 1


def is_right_or_refused(run: Judged) -> bool:
    """Whether the cause was named, or the judgement refused with the reason."""
    found = score(run)
    return found is Score.RIGHT or (found is Score.CONTENDED and bool(run.reason))


def faults(places: Places) -> Faults:
    """The causes that act from outside."""

    def lay(data_folder: Path, plan: Mapping[int, Wanted], step: Step) -> None:
        sample_bytes = sum(path.stat().st_size for path in data_folder.rglob("*.h5"))
        sample_bytes //= PROBLEM.data.count("samples")
        laid = {
            seed: Measure(cause=Outside(one.causes[0]), amount=amount(one, step, sample_bytes))
            for seed, one in plan.items()
            if one.causes
        }
        write_plan(data_folder, laid)

    return Faults(
        worker_module="benchmarks.outside_worker",
        lay=lay,
        right=_right,
        predicted_ns=lambda wanted, step: 0.0,
    )


def amount(wanted: Wanted, step: Step, sample_bytes: int) -> float:
    """What the cause must be so that the step grows by about ``dose`` of itself."""
    cause, added_s = Outside(wanted.causes[0]), wanted.dose * step.step_ns / 1e9
    if cause is Outside.NETWORK:  # a ring of two ranks sends every gradient once
        cost = catalog.workload("cosmoflow").cost(PROBLEM, batch_per_rank=1, precision="float32")
        return cost.gradient_bytes / added_s
    if cause is Outside.STORAGE:
        return NUM_RANKS * sample_bytes / (step.step_ns / 1e9 + added_s)
    cores = len(os.sched_getaffinity(0))
    return (
        min(cores, NUM_RANKS) / (1 + wanted.dose) if cause is Outside.QUOTA else max(1, cores * wanted.dose)
    )


def _right(cause: str) -> Limit:
    return RIGHT[Outside(cause)]


def _places(stack: ExitStack, root: Path) -> tuple[Places, dict[Outside, str]]:
    """What acts on ranks here, and what this machine does not allow, with the reason."""
    absent: dict[Outside, str] = {}
    keepers: tuple[int, ...] = ()
    try:
        keepers = stack.enter_context(linked_namespaces())
    except OSError as error:
        absent[Outside.NETWORK] = str(error)
    groups = stack.enter_context(control_groups())
    if "cpu" not in groups:
        absent[Outside.QUOTA] = "no control group of the cpu controller can be made here"
    number = root.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    if "io" not in groups:
        absent[Outside.STORAGE] = "no control group of the io controller can be made here"
    elif not Path(f"/sys/dev/block/{device}").exists():
        absent[Outside.STORAGE] = f"{root} lies on no block device"
    return Places(keepers=keepers, device=device, groups=groups), absent


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """A request to end becomes an exception, so that everything is taken down."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [cause.name.lower() for cause in Outside]
    parser.add_argument("--quick", action="store_true", help="one run of each, within 3 minutes")
    parser.add_argument("--causes", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9 % 10**6, help="of the runs")
    parser.add_argument("--keep", type=Path, help="keep the records in this folder")
    return parser.parse_args(arguments)


def _hear(event: Event) -> None:
    if event["event"] == "point_end" and event["outcome"] != "completed":
        print(f"a run ended as {event['outcome']}: {event['reason']}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
