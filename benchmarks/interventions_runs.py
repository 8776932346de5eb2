"""Runs with and without a fault, measured by SAIH's own campaign, and judged by its analyzer alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np

from augment.problem import Problem, Shape
from benchmarks.interventions_scoring import Judged
from saih.analyzer.analysis import analyze
from saih.analyzer.propagation import quotient
from saih.analyzer.rise import find_rises, rising_limit
from saih.analyzer.verification import with_verifications
from saih.domain.interval import Interval, median
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Phase, Record
from saih.domain.trend import Analysis, Limit, PointSummary
from saih.domain.verification import Verification, VerifyPlan
from saih.launch.campaign import run
from saih.launch.event import Event
from saih.launch.job_run import Options
from saih.machine.environment import capture
from saih.store.ceilings_file import read_ceilings
from saih.store.sweep_folder import SweepFolder, read_records, record_definition
from saih.store.verification_file import read_trials

NUM_RANKS = 2
PLACEMENT = Placement(ranks_per_node=NUM_RANKS, data_parallel=NUM_RANKS)
TIMING = Timing(warmup_steps=4, min_steps=24, max_steps=80, relative_width=0.03, budget_s=2.5)
PROBLEM = Problem(
    data=Shape.of(samples=32, resolution=32, channels=4, universes=4), model=Shape.of(depth=1, width=12)
)
_NAME = "interventions"
_NUM_FIRST = 3
"""Undisturbed runs that tell how long a step is, before anything is put in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What shall be done in one run; no cause is a sham."""

    causes: tuple[str, ...]
    dose: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The undisturbed step."""

    step_ns: float
    produce_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How a kind of causes is brought about, and what they are."""

    worker_module: str
    """Of ranks whose application has them."""
    lay: Callable[[Path, Mapping[int, Wanted], Step], None]
    """Lay the plan for runs, by seed, where the application of this data folder finds it."""
    right: Callable[[str], Limit]
    """The class that names a cause rightly."""
    predicted_ns: Callable[[Wanted, Step], float]
    """What the causes add to the critical path [ns]; 0 where that is not known."""


class Bench:
    """A folder of runs, which grows."""

    def __init__(self, root: Path, seed: int, faults: Faults, on_event: Callable[[Event], None]) -> None:
        self._folder = SweepFolder(root / "results", _NAME)
        self._data = root / "data"
        self._on_event = on_event
        self._chance = np.random.default_rng(seed)
        self._seeds = count(1000 * (seed % 10**6))
        self._faults = faults
        self._wanted: dict[int, Wanted | None] = {}
        self._data.mkdir(parents=True, exist_ok=True)
        record_definition(self._folder, {"benchmark": _NAME, "seed": seed})

    def undisturbed(self) -> Step:
        """Measure a few runs without anything put in."""
        seeds = [self._seed(None) for _ in range(_NUM_FIRST)]
        self._measure(seeds)
        found = self._summaries()
        own = [found[seed] for seed in seeds if seed in found]
        if not own:
            raise SystemExit("no undisturbed run was completed; see the log of the job")
        return Step(
            step_ns=median([one.step_ns.value for one in own]),
            produce_ns=median([one.phases_ns[Phase.INPUT_PRODUCE].value for one in own]),
        )

    def measure(self, wanted: Sequence[Wanted], step: Step, num_references: int) -> list[Judged]:
        """Run everything that is wanted, in a random order among undisturbed runs, and judge it."""
        for one in (*wanted, *[None] * num_references):
            self._seed(one)
        # Those of before too: what is put to the test later shall be as it was measured.
        plan = {seed: one for seed, one in self._wanted.items() if one is not None}
        self._faults.lay(self._data, plan, step)
        self._measure(list(self._wanted))
        return self._judged(step)

    def verify(self, seeds: Sequence[int], plan: VerifyPlan) -> None:
        """Switch causes on and off in the application of these runs, as it was in them."""
        self._run(seeds, Options(seed=0, worker_module=self._faults.worker_module, verify=plan))

    def verifications(self) -> Mapping[int, tuple[Verification, ...]]:
        """What came of the verdicts that were put to the test, by seed."""
        records, analysis = self._analysis()
        trials, _ = read_trials(self._folder, records)
        tested = with_verifications(analysis, records, trials)
        return {one.point.seed: one.verifications for one in tested.points if one.verifications}

    def _seed(self, wanted: Wanted | None) -> int:
        seed = next(self._seeds)
        self._wanted[seed] = wanted
        return seed

    def _measure(self, seeds: Sequence[int]) -> None:
        chance = int(self._chance.integers(2**31))
        self._run(seeds, Options(seed=chance, worker_module=self._faults.worker_module))

    def _run(self, seeds: Sequence[int], options: Options) -> None:
        points = [_point(seed) for seed in seeds]
        run(self._folder, points, self._data, capture(), self._on_event, options)

    def _summaries(self) -> dict[int, PointSummary]:
        return {one.point.seed: one for one in self._analysis()[1].points}

    def _analysis(self) -> tuple[tuple[Record, ...], Analysis]:
        records, _ = read_records(self._folder)
        ceilings = read_ceilings(self._folder.root, records[0].environment.environment_id, PLACEMENT)
        known = [] if ceilings is None else [ceilings]
        return records, analyze(_NAME, records, known, [], len(records))

    def _judged(self, step: Step) -> list[Judged]:
        found = self._summaries()
        references = [one for seed, one in found.items() if self._wanted[seed] is None]
        disturbed = {seed: wanted for seed, wanted in self._wanted.items() if wanted is not None}
        return [
            judged(
                wanted,
                nearest(found[seed], references),
                found[seed],
                right=tuple(self._faults.right(cause) for cause in wanted.causes),
                predicted_ns=self._faults.predicted_ns(wanted, step),
            )
            for seed, wanted in disturbed.items()
            if seed in found
        ]


def lost(wanted: Sequence[Wanted], runs: Sequence[Judged]) -> list[Wanted]:
    """What is wanted and has no record: its run crashed, was refused, or took too long."""
    return list((Counter(wanted) - Counter(map(_wanted, runs))).elements())


def not_judged(wanted: Sequence[Wanted], runs: Sequence[Judged]) -> list[Wanted]:
    """What is wanted and has no record of processors of its own."""
    return lost(wanted, [run for run in runs if not run.is_contended])


def _wanted(run: Judged) -> Wanted:
    return Wanted(causes=run.causes, dose=run.dose)


def judged(
    wanted: Wanted,
    base: PointSummary,
    disturbed: PointSummary,
    *,
    right: tuple[Limit, ...],
    predicted_ns: float,
) -> Judged:
    """What the analyzer says of a run against an undisturbed one; it sees their records alone."""
    efficiency = quotient(base.step_ns, disturbed.step_ns)
    rises = find_rises(base, disturbed, efficiency)
    return Judged(
        causes=tuple(str(cause) for cause in wanted.causes),
        right=right,
        dose=wanted.dose,
        named=rising_limit(rises, efficiency),
        ranking=tuple(sorted(rises, key=lambda limit: -rises[limit].value)),
        verdict=disturbed.diagnosis.limit,
        added_ns=_difference(disturbed.step_ns, base.step_ns),
        predicted_ns=predicted_ns,
        is_contended=base.diagnosis.is_contended or disturbed.diagnosis.is_contended,
        seed=disturbed.point.seed,
        reason=next((text for text in (*told(disturbed), *told(base)) if "contended" in text), ""),
    )


def told(summary: PointSummary) -> tuple[str, ...]:
    """What the analyzer says of a run that it does not judge."""
    return summary.diagnosis.evidence if summary.diagnosis.is_contended else ()


def nearest(disturbed: PointSummary, references: Sequence[PointSummary]) -> PointSummary:
    """The undisturbed run that was measured closest in time."""

    def distance_s(one: PointSummary) -> float:
        own, other = (datetime.fromisoformat(run.measured_utc) for run in (disturbed, one))
        return abs((own - other).total_seconds())

    return min(references, key=distance_s)


def _difference(after: Interval, before: Interval) -> Interval:
    value = after.value - before.value
    down = ((after.value - after.low) ** 2 + (before.high - before.value) ** 2) ** 0.5
    up = ((after.high - after.value) ** 2 + (before.value - before.low) ** 2) ** 0.5
    return Interval(
        low=value - down,
        value=value,
        high=value + up,
        level=after.level,
        count=min(after.count, before.count),
    )


def _point(seed: int) -> Point:
    return Point(
        workload="cosmoflow",
        problem=PROBLEM,
        batch_per_rank=1,
        precision="float32",
        exchange="ddp",
        placement=PLACEMENT,
        timing=TIMING,
        seed=seed,
    )
