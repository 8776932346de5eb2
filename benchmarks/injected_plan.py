"""How much of each cause is put into each run, from the share of the step that is wanted."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.injected_causes import HIDDEN, RIGHT, Cause, Injection, write_plan
from benchmarks.interventions_runs import NUM_RANKS, Faults, Step, Wanted
from saih.domain.trend import Limit


def faults() -> Faults:
    """The causes that sit in the application."""
    return Faults(
        worker_module="benchmarks.injected_worker", lay=_lay, right=_right, predicted_ns=predicted_ns
    )


def injections(wanted: Wanted, step: Step, slow_rank: int) -> tuple[Injection, ...]:
    """What is done to a run of which this is wanted."""
    others = sum(cause not in HIDDEN for cause in wanted.causes)
    return tuple(
        Injection(
            cause=Cause(cause), added_ns=added_ns(Cause(cause), wanted.dose, step, others), rank=slow_rank
        )
        for cause in wanted.causes
    )


def added_ns(cause: Cause, dose: float, step: Step, num_others: int = 0) -> int:
    """Work or wait to add [ns], so that the step grows by ``dose`` of itself.

    Waiting for storage is hidden until making a batch takes longer than a step, and than what ``num_others``
    causes of the same dose add to it. Decoding is work: where every core has a rank that computes, it takes
    its time from the step at once.
    """
    if cause not in HIDDEN:
        return round(dose * step.step_ns)
    longer_ns = (1 + num_others * dose) * step.step_ns
    return round(max(0.0, longer_ns - step.produce_ns) + dose * step.step_ns)


def predicted_ns(wanted: Wanted, step: Step) -> float:
    """What the causes add to the critical path [ns]: waits for input beyond the step, all else in full."""
    hidden = [cause for cause in wanted.causes if cause in HIDDEN]
    shown = len(wanted.causes) - len(hidden)
    return wanted.dose * step.step_ns * (shown + bool(hidden))


def _lay(data_folder: Path, plan: Mapping[int, Wanted], step: Step) -> None:
    laid = {seed: injections(wanted, step, seed % NUM_RANKS) for seed, wanted in plan.items()}
    write_plan(data_folder, laid)


def _right(cause: str) -> Limit:
    return RIGHT[Cause(cause)]
