"""Real sweeps, measured in full: points are chosen among them, steps cut where the rule stops."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.adaptive_sweep import Measured, Outcome, choose_among, cut, outcome_of
from saih.analyzer.ran_execution import cost_of
from saih.analyzer.terms import GROWTH
from saih.commands.import_stage import import_file
from saih.domain.point import Timing
from saih.domain.record import Record
from saih.planner.adaptive import relaxed
from saih.store.sweep_folder import read_records
from workloads import catalog

BUNDLES = Path(__file__).parents[1] / "results" / "reference"
NAMES = ("laptop", "ranks", "threads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A reference sweep, chosen among, whole, and whole but measured as shortly."""

    name: str
    asked: float
    adaptive: Outcome
    full: Outcome
    short: Outcome


def real_sweeps(precision: float) -> tuple[Real, ...]:
    """Every reference sweep.

    Where the full grid itself is less sure than ``precision``, on a machine that others use, as sure as that
    is asked for.
    """
    return tuple(_compared(name, precision) for name in NAMES)


def _compared(name: str, precision: float) -> Real:
    with tempfile.TemporaryDirectory() as root:
        folder = import_file(BUNDLES / f"{name}.saih.zip", Path(root), None, is_dry=False).folder
        records = {
            record.point.point_id: record
            for record in read_records(folder)[0]
            if record.result.steps is not None
        }
    sizes = _sizes(list(records.values()))
    names = dict(zip(records, sizes, strict=True))
    nodes = {point_id: float(record.point.placement.nodes) for point_id, record in records.items()}
    steps = {
        point_id: [int(step) for step in record.result.steps.slowest_ns]
        for point_id, record in records.items()
        if record.result.steps is not None
    }
    true_ns = {point_id: float(np.median(own)) for point_id, own in steps.items()}

    def measure(point_id: str, timing: Timing) -> Measured:
        # Warm-up steps were not kept; the first of the measured ones stand for them.
        return cut([*steps[point_id][: timing.warmup_steps], *steps[point_id]], nodes[point_id], timing)

    found = {
        point_id: measure(point_id, Timing(relative_width=1e-9, max_steps=10**6, budget_s=1e9))
        for point_id in records
    }
    whole = outcome_of(names, found, true_ns, GROWTH, is_reached=True)
    own = next(iter(records.values())).point.timing
    asked = max(precision, *whole.half_widths.values())
    short = {point_id: measure(point_id, relaxed(own, asked)) for point_id in records}
    return Real(
        name=name,
        asked=asked,
        adaptive=choose_among(names, nodes, true_ns, GROWTH, (asked, own), measure),
        full=whole,
        short=outcome_of(names, short, true_ns, GROWTH, is_reached=True),
    )


def _sizes(records: list[Record]) -> list[tuple[float, ...]]:
    """Sizes along the axes that differ."""
    rows = []
    for record in records:
        point = record.point
        axes = cost_of(record, catalog.workload(point.workload)).axis_sizes
        cores = point.placement.num_ranks, point.placement.threads_per_rank
        rows.append([*axes.values(), *map(float, cores)])
    differs = [len(set(column)) > 1 for column in zip(*rows, strict=True)]
    return [tuple(size for size, keep in zip(row, differs, strict=True) if keep) for row in rows]
