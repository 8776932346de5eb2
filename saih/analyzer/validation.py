"""Whether the steps of a record can be believed: what makes a point unusable, and what only needs saying."""

import math

import numpy as np
from numpy.typing import NDArray

from saih.domain.interval import Interval
from saih.domain.record import ADDITIVE_PHASES, Record, Steps

SUM_TOLERANCE = 0.02
"""Largest accepted gap between a step and the sum of its additive phases, relative to the step."""
FEW_STEPS = 8
"""Below this the interval of the median rests on the whole range of the steps."""


def refusal(record: Record) -> str:
    """Why the steps of this completed record cannot be used; empty when they can."""
    steps = record.result.steps
    if steps is None or steps.num_steps == 0:
        return "the record says completed but holds no measured step; measure the point again"
    if steps.num_steps == 1:
        return "only one step was measured, which has no interval; raise timing.budget_s and measure again"
    return _bad_shape(record, steps) or _bad_durations(steps) or _bad_sum(steps) or _bad_losses(steps)


def remarks(record: Record, flops_per_s: Interval, peak_flops_per_s: Interval | None) -> tuple[str, ...]:
    """What a reader must know before using the numbers of this point."""
    steps = record.result.steps
    found = []
    if steps is not None and steps.num_steps < FEW_STEPS:
        found.append(f"only {steps.num_steps} steps were measured; their interval is wide")
    if peak_flops_per_s is not None and flops_per_s.low > peak_flops_per_s.high:
        found.append(
            f"it ran at {flops_per_s.value:.4g} FLOP/s, above the measured ceiling of "
            f"{peak_flops_per_s.value:.4g} FLOP/s; the ceiling was measured too low (contended?) or FLOPs "
            "are overcounted, so its share of peak says nothing; measure the ceilings again"
        )
    return tuple(found)


def _bad_shape(record: Record, steps: Steps) -> str:
    expected = (record.point.placement.num_ranks, steps.num_steps)
    tables = {"the step": steps.step_ns}
    tables.update({str(phase): rows for phase, rows in steps.duration_ns.items()})
    for name, rows in tables.items():
        shape = (len(rows), len(rows[0]) if rows else 0)
        if shape != expected or any(len(row) != expected[1] for row in rows):
            return (
                f"{name} was recorded for {shape[0]} ranks with {sorted({len(row) for row in rows})} steps; "
                f"the placement has {expected[0]} ranks and {expected[1]} steps were measured"
            )
    missing = [str(phase) for phase in ADDITIVE_PHASES if phase not in steps.duration_ns]
    return f"the phases {', '.join(missing)} are missing from the record" if missing else ""


def _bad_durations(steps: Steps) -> str:
    tables = [("the step", np.asarray(steps.step_ns, dtype=np.float64), 1.0)]
    tables += [
        (str(phase), np.asarray(rows, dtype=np.float64), 0.0) for phase, rows in steps.duration_ns.items()
    ]
    for name, durations, least in tables:
        bad = np.argwhere(~(np.isfinite(durations) & (durations >= least)))
        if len(bad):
            rank, step = (int(index) for index in bad[0])
            return (
                f"{name} lasts {durations[rank, step]:g} ns at step {step} on rank {rank} ({len(bad)} such "
                "values); a clock that stands or runs backwards measures nothing"
            )
    return ""


def _bad_sum(steps: Steps) -> str:
    whole = np.asarray(steps.step_ns, dtype=np.float64)
    total: NDArray[np.float64] = np.sum(
        [np.asarray(steps.duration_ns[phase], dtype=np.float64) for phase in ADDITIVE_PHASES], axis=0
    )
    gap = np.abs(total - whole) / whole
    rank, step = (int(index) for index in np.unravel_index(int(np.argmax(gap)), gap.shape))
    if gap[rank, step] <= SUM_TOLERANCE:
        return ""
    return (
        f"the phases of step {step} on rank {rank} sum to {total[rank, step]:.0f} ns, but the step lasts "
        f"{whole[rank, step]:.0f} ns; a verdict on such phases would be a guess"
    )


def _bad_losses(steps: Steps) -> str:
    for index, loss in enumerate(steps.losses):
        if not math.isfinite(loss):
            return f"the loss at step {index} is {loss}; the network diverged, so its steps are not training"
    return ""
