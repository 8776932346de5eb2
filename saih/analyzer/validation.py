"""Whether the steps of a record can be believed: what makes a point unusable, and what only needs saying."""

import math

import numpy as np

from saih.analyzer.mistaken_unit import is_prefix
from saih.analyzer.step_table import table_of
from saih.domain.interval import Interval
from saih.domain.quantity import percent, with_si
from saih.domain.record import ADDITIVE_PHASES, RankSummary, Record, Steps

SUM_TOLERANCE = 0.02
"""Largest accepted gap between a step and the sum of its additive phases, relative to the step."""
_LEAST_STEP_NS = 1.0
_UNIT_DECADES = 2.3
"""Above a ceiling by so many decades is no contended ceiling any more."""
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
    if steps is not None and steps.summary is not None:
        found += _gap(steps, steps.summary)
    if peak_flops_per_s is not None and flops_per_s.low > peak_flops_per_s.high:
        found.append(
            f"it ran at {with_si(flops_per_s.value, 'FLOP/s')}, above the measured ceiling of "
            f"{with_si(peak_flops_per_s.value, 'FLOP/s')}; {_why_above(flops_per_s, peak_flops_per_s)}"
        )
    return tuple(found)


def _why_above(flops_per_s: Interval, peak_flops_per_s: Interval) -> str:
    """What makes a rate that cannot be."""
    decades = math.log10(flops_per_s.value / peak_flops_per_s.value)
    if decades >= _UNIT_DECADES:
        return (
            f"10^{decades:.1f} times as much as can be, as where durations in us or ms are told for ns, so "
            "its share of peak says nothing; look at its steps"
        )
    return (
        "the ceiling was measured too low (contended?) or FLOPs are overcounted, so its share of peak says "
        "nothing; measure the ceilings again"
    )


def _gap(steps: Steps, summary: RankSummary) -> list[str]:
    """How far the ranks kept whole, whose phases are shown, are from the slowest of all at each step."""
    kept = table_of(steps).whole.max(axis=0)
    gap = float(np.median(table_of(steps).slowest / kept)) - 1
    if gap <= SUM_TOLERANCE:
        return []
    return [
        (
            f"{len(summary.kept)} of its {summary.num_ranks} ranks were kept whole, and the slowest of all "
            f"takes {percent(gap)} longer than these at a typical step; phases are those of the kept ones"
        )
    ]


def _bad_shape(record: Record, steps: Steps) -> str:
    if steps.summary is not None:
        return _bad_summary(record, steps, steps.summary) or _missing_phases(steps)
    expected = (record.point.placement.num_ranks, steps.num_steps)
    every = [steps.step_ns, *steps.duration_ns.values()]
    if {(len(rows), len(row)) for rows in every for row in rows} == {expected} and all(every):
        return _missing_phases(steps)
    tables = {"the step": steps.step_ns}
    tables.update({str(phase): rows for phase, rows in steps.duration_ns.items()})
    for name, rows in tables.items():
        shape = (len(rows), len(rows[0]) if rows else 0)
        if shape != expected or any(len(row) != expected[1] for row in rows):
            return (
                f"{name} was recorded for {shape[0]} ranks with {sorted({len(row) for row in rows})} steps; "
                f"the placement has {expected[0]} ranks and {expected[1]} steps were measured"
            )
    return _missing_phases(steps)


def _bad_summary(record: Record, steps: Steps, summary: RankSummary) -> str:
    """What does not fit together in a record of which only some ranks were kept whole."""
    ranks, rows, columns = summary.num_ranks, len(summary.kept), steps.num_steps
    if ranks != record.point.placement.num_ranks:
        return f"{ranks} ranks were recorded; the placement has {record.point.placement.num_ranks}"
    kept = [steps.step_ns, *steps.duration_ns.values()]
    if any(len(table) != rows or any(len(row) != columns for row in table) for table in kept):
        return f"ranks {list(summary.kept)} were kept whole, but not all of their {columns} steps are there"
    every = [summary.median_step_ns, *summary.median_ns.values()]
    if any(len(medians) != ranks for medians in every) or len(summary.slowest_ns) != columns:
        return f"the summary does not hold a median of each of its {ranks} ranks and each of {columns} steps"
    missing = [str(phase) for phase in ADDITIVE_PHASES if phase not in summary.median_ns]
    if missing or not all(0 <= rank < ranks for rank in summary.kept):
        return f"the summary lacks the phases {', '.join(missing)} or keeps ranks beyond {ranks}"
    if any(slow < max(own) for slow, *own in zip(summary.slowest_ns, *steps.step_ns, strict=True)):
        return "the slowest rank of a step is faster than one of those kept whole"
    return ""


def _missing_phases(steps: Steps) -> str:
    missing = [str(phase) for phase in ADDITIVE_PHASES if phase not in steps.duration_ns]
    return f"the phases {', '.join(missing)} are missing from the record" if missing else ""


def _bad_durations(steps: Steps) -> str:
    table = table_of(steps)
    # Three looks at everything: nearly all records are sound. What is no number reaches no bound.
    if table.whole.min() >= _LEAST_STEP_NS and table.durations.min() >= 0 and table.greatest < math.inf:
        return ""
    tables = [("the step", table.whole, _LEAST_STEP_NS)]
    tables += [(str(phase), durations, 0.0) for phase, durations in table.phases.items()]
    for name, durations, least in tables:
        usable = np.isfinite(durations) & (durations >= least)
        if not usable.all():
            bad = np.argwhere(~usable)
            row, step = (int(index) for index in bad[0])
            return (
                f"{name} lasts {durations[row, step]:g} ns at step {step} on rank {_rank(steps, row)} "
                f"({len(bad)} such values); a clock that stands or runs backwards measures nothing"
            )
    return ""


def _bad_sum(steps: Steps) -> str:
    table = table_of(steps)
    whole, total = table.whole, table.additive.sum(axis=0) + table.stage_wait
    gap = np.abs(total - whole) / whole
    if gap.max() <= SUM_TOLERANCE:
        return ""
    row, step = (int(index) for index in np.unravel_index(int(np.argmax(gap)), gap.shape))
    is_unit = total[row, step] > 0 and is_prefix(math.log10(total[row, step] / whole[row, step]))
    unit = " (one of them in another unit, such as us?)" if is_unit else ""
    return (
        f"the phases of step {step} on rank {_rank(steps, row)} sum to {total[row, step]:.0f} ns, but the "
        f"step lasts {whole[row, step]:.0f} ns{unit}; a verdict on such phases would be a guess"
    )


def _rank(steps: Steps, row: int) -> int:
    """Number of the rank of a row."""
    return row if steps.summary is None else steps.summary.kept[row]


def _bad_losses(steps: Steps) -> str:
    for index, loss in enumerate(steps.losses):
        if not math.isfinite(loss):
            return f"the loss at step {index} is {loss}; the network diverged, so its steps are not training"
    return ""
