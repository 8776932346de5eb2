"""Verdicts put to the test on simulated steps whose cause is known: how often right, how often falsely.

Two ranks with a loader each, a forward and a backward pass, and an exchange at which they meet, are
simulated event by event; the record and all windows come from the simulation, at fresh seeds in every run.
In half of the cases the record is right; in the other half what it charges to a cause stays when that cause
is removed. Shams count as false alarms when they make a run count for nothing.

    python -m benchmarks.verification [--quick]
"""

import argparse
import secrets
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from augment.problem import Problem, Shape
from benchmarks.bars import judge
from saih.analyzer.summary import summarize
from saih.analyzer.verification import verify
from saih.analyzer.verification_judgement import GREATEST_P, GREATEST_SHAM
from saih.analyzer.verification_statistics import shift_interval, sign_flip_p, typical_ns
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import AttemptResult, Environment, Outcome, Phase, Record, Steps
from saih.domain.trend import Diagnosis
from saih.domain.verdict import Limit
from saih.domain.verification import FULL, CpuContention, Intervention, Pair, Toggle, ToggleRun, Trial
from workloads import catalog

Array = NDArray[np.float64]
RANKS, STEPS, SETTLE, DEPTH = 2, 48, 40, 2
QUIET = CpuContention(cpu_some=0.01, sigma=1.01)
LEAST_RIGHT, MOST_FALSE, MOST_ALARMS = 0.9, 0.05, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What a step is made of [ns]; ``stall`` looks like exchange or waiting for input, and never goes."""

    limit: Limit
    removal: Intervention
    load: Intervention
    produce: float
    compute: float
    transfer: float
    stall: float = 0.0


TRUTHS: Mapping[str, Truth] = {
    "input": Truth(
        limit=Limit.INPUT,
        removal=Intervention.DUMMY_INPUT,
        load=Intervention.DELAYED_INPUT,
        produce=1.6e7,
        compute=8e6,
        transfer=1e6,
    ),
    "interconnect": Truth(
        limit=Limit.INTERCONNECT,
        removal=Intervention.NO_EXCHANGE,
        load=Intervention.THROTTLED_EXCHANGE,
        produce=2e6,
        compute=8e6,
        transfer=5e6,
    ),
    "compute": Truth(
        limit=Limit.COMPUTE,
        removal=Intervention.COMPUTE_ONLY,
        load=Intervention.EXTRA_ARITHMETIC,
        produce=2e6,
        compute=1.2e7,
        transfer=5e5,
    ),
}


def main(arguments: list[str]) -> int:
    """Print the table and the bars; 1 if a bar fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    runs = 12 if parser.parse_args(arguments).quick else 60
    generator = np.random.default_rng(secrets.randbits(63))
    right, false, total = 0, 0, 0
    print(f"{'truth':<14}{'noise':>6}  {'record right':<40}  record wrong")
    for name, truth in TRUTHS.items():
        for noise in (0.02, 0.05):
            good = Counter(_status(truth, noise, generator) for _ in range(runs))
            bad = Counter(_status(_stalled(truth), noise, generator) for _ in range(runs))
            print(f"{name:<14}{noise:>6.0%}  {_words(good):<40}  {_words(bad)}")
            right, false, total = right + good["verified"], false + bad["verified"], total + runs
    alarms = np.mean([_alarms(noise, generator) for noise in (0.02, 0.05) for _ in range(10 * runs)])
    passed = [
        judge("right verdicts verified", right / total, "share", ">=", LEAST_RIGHT),
        judge("wrong verdicts verified", false / total, "share", "<=", MOST_FALSE),
        judge("shams that alarm", float(alarms), "share", "<=", MOST_ALARMS),
    ]
    return 0 if all(passed) else 1


def simulated(truth: Truth, toggle: Toggle, noise: float, generator: np.random.Generator) -> Steps:
    """Steps of all ranks under a toggle, those in which the loader still has a start left out."""
    one, dose = toggle.intervention, float(toggle.dose_ns)
    has_input = one not in (Intervention.DUMMY_INPUT, Intervention.COMPUTE_ONLY)
    meets = one not in (Intervention.NO_EXCHANGE, Intervention.COMPUTE_ONLY)
    produce = truth.produce * has_input + dose * (one is Intervention.DELAYED_INPUT)
    work = truth.compute + dose * (one is Intervention.EXTRA_ARITHMETIC)
    transfer = truth.transfer + dose * (one is Intervention.THROTTLED_EXCHANGE)
    count = STEPS + SETTLE
    factors = np.exp(noise * generator.standard_normal((3, count, RANKS)))
    level = float(np.exp(0.3 * noise * generator.standard_normal()))  # of this window
    begin, ready = np.zeros(RANKS), np.zeros(RANKS)
    taken = np.zeros((count + DEPTH, RANKS))
    rows: dict[Phase, list[Array]] = {phase: [] for phase in Phase}
    for step in range(count):
        made = level * produce * factors[0, step]
        ready = np.maximum(ready, taken[step]) + made
        wait = np.maximum(ready - begin, 0.0)
        wait = wait + truth.stall * (truth.limit is Limit.INPUT)
        taken[step + DEPTH] = begin + wait
        worked = level * work * factors[1, step]
        arrival = begin + wait + worked
        together = arrival.max() + level * transfer * factors[2, step].min() if meets else arrival
        left = np.broadcast_to(together, (RANKS,)) + truth.stall * (truth.limit is not Limit.INPUT)
        done = left + level * 0.1 * truth.compute
        parts = {
            Phase.INPUT_WAIT: wait,
            Phase.FORWARD: worked / 3,
            Phase.BACKWARD: worked * 2 / 3,
            Phase.COMMUNICATION: left - arrival,
            Phase.OPTIMIZER: done - left,
            Phase.INPUT_PRODUCE: made,
            Phase.COMMUNICATION_TOTAL: left - arrival,
        }
        for phase in Phase:
            rows[phase].append(parts.get(phase, np.zeros(RANKS)))
        begin = done
    return _steps(rows)


def _steps(rows: Mapping[Phase, list[Array]]) -> Steps:
    table = {phase: np.rint(np.array(own)[SETTLE:].T).astype(np.int64) for phase, own in rows.items()}
    hidden = (Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL)
    whole = np.sum([own for phase, own in table.items() if phase not in hidden], axis=0)
    return Steps(
        duration_ns={phase: tuple(map(tuple, own.tolist())) for phase, own in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=tuple(1 / (step + 1) for step in range(STEPS)),
        warmup_steps=0,
    )


def _stalled(truth: Truth) -> Truth:
    """The same step, but what the record charges to the cause stays when that is removed."""
    if truth.limit is Limit.INPUT:
        return replace(truth, produce=1e6, stall=8e6)
    if truth.limit is Limit.INTERCONNECT:
        return replace(truth, transfer=2e5, stall=5e6)
    # Most of the step waits for input, whatever the record charges to compute.
    return replace(truth, produce=2.2e7, compute=8e6)


def _status(truth: Truth, noise: float, generator: np.random.Generator) -> str:
    nothing = Toggle(intervention=Intervention.SHAM)
    steps = simulated(truth, nothing, noise, generator)
    typical = typical_ns(steps.slowest_ns)
    slack = max(typical - truth.produce, 0.0) if truth.load is Intervention.DELAYED_INPUT else 0.0
    loads = [Toggle(intervention=truth.load, dose_ns=round(slack + dose * typical)) for dose in FULL.doses]
    runs = []
    for toggle in (nothing, Toggle(intervention=truth.removal), *loads):
        count = FULL.pairs_per_dose if toggle in loads else FULL.num_pairs
        pairs = tuple(
            Pair(
                off_ns=simulated(truth, nothing, noise, generator).slowest_ns,
                on_ns=simulated(truth, toggle, noise, generator).slowest_ns,
                is_on_first=False,
                took_ns=float(toggle.dose_ns),
            )
            for _ in range(count)
        )
        runs.append(ToggleRun(toggle=toggle, pairs=pairs))
    return _verdict(truth.limit, steps, tuple(runs))


def _verdict(limit: Limit, steps: Steps, runs: tuple[ToggleRun, ...]) -> str:
    result = AttemptResult(outcome=Outcome.COMPLETED, reason="", stop_reason="", steps=steps, notes={})
    record = Record(
        sweep_name="simulated",
        point=_point(),
        attempt=1,
        environment=Environment(facts={}, notes={}, environment_id="e"),
        result=result,
        finished_utc="2026-01-01T00:00:00+00:00",
    )
    summary = summarize(record, steps, catalog.workload("cosmoflow"), None)
    told = Diagnosis(limit=limit, runner_up=None, shares={}, evidence=())
    trial = Trial(
        record_id=record.record_id,
        environment_id="e",
        plan=FULL,
        seed=1,
        runs=runs,
        off_phases_ns={},
        contention=QUIET,
        finished_utc=record.finished_utc,
    )
    return verify(replace(summary, diagnosis=told), steps, trial)[0].status


def _point() -> Point:
    problem = Problem(
        data=Shape.of(samples=8, resolution=16, channels=1, universes=2), model=Shape.of(depth=1, width=4)
    )
    return Point(
        workload="cosmoflow",
        problem=problem,
        batch_per_rank=2,
        precision="float32",
        exchange="ddp",
        placement=Placement(ranks_per_node=RANKS, data_parallel=RANKS),
        timing=Timing(),
        seed=1,
    )


def _alarms(noise: float, generator: np.random.Generator) -> float:
    """Whether a switch that changes nothing seems to move the step so much that nothing is believed."""
    off, on = (1e7 * np.exp(noise * generator.standard_t(4, size=FULL.num_pairs)) for _ in range(2))
    is_large = abs(shift_interval(on - off).value) >= GREATEST_SHAM * float(np.median(off))
    return float(is_large and sign_flip_p(on - off) <= GREATEST_P)


def _words(found: Counter[str]) -> str:
    return ", ".join(f"{number} {status}" for status, number in found.most_common())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
