"""POP efficiencies of a point: how much of its rank-time is useful, and where the rest goes."""

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.critical_path import DEVICE_PHASES, last_arrivers
from saih.analyzer.meetings import groups_of, has_meetings, rows_that_met
from saih.analyzer.propagation import quotient
from saih.analyzer.resampling import intervals_of, resampled_sums
from saih.analyzer.step_table import at_rows, table_of
from saih.domain.efficiency import PopEfficiency
from saih.domain.interval import Interval
from saih.domain.record import Phase, Steps

Array = NDArray[np.float64]


def efficiency_of(steps: Steps, size: int | None = None) -> PopEfficiency:
    """The hierarchy of POP over all steps, with bootstrap intervals over them; 1 rank has balance 1.

    The duration is the sum of the slowest ranks. A network that transfers in no time leaves of each exchange
    the waiting for the last arriver alone, so that it takes away what the rank with the least exposed
    exchange spends in it (Dimemas' ideal network, replayed); where stages wait for each other, or there are
    several groups of ``size`` ranks that meet, what the rank spends in it that decides the step. Of ranks
    that were not kept whole the medians stand for the useful time. A rank that a plan leaves out is no part
    of the exchange, but its time is lost all the same: it counts in load balance.
    """
    table = table_of(steps)
    forward, backward, optimizer, other = (table.phases[one] for one in DEVICE_PHASES)
    useful = forward + backward + optimizer + other
    exchanged, staged = _waits(steps, size)
    untransferred = table.slowest - exchanged
    whole_rows = np.array([table.slowest, untransferred, untransferred - staged])
    sums = resampled_sums(np.concatenate([useful, whole_rows]))
    ranks, (whole, ideal, unstaged) = sums[:-3], sums[-3:]
    largest, mean = ranks.max(axis=0), _mean_useful(steps, ranks)
    parts = {
        "useful_ns": mean / steps.num_steps,
        "parallel": mean / whole,
        "load_balance": mean / largest,
        "communication": largest / whole,
        "serialisation": largest / ideal,
        "transfer": ideal / whole,
    }
    if Phase.STAGE_WAIT in table.phases:
        parts["pipeline"] = unstaged / ideal
    return PopEfficiency(num_ranks=steps.num_ranks, **intervals_of(parts, steps.num_steps))


def computation_scaling(
    base: PopEfficiency, own: PopEfficiency, base_samples: int, own_samples: int
) -> Interval:
    """Useful rank-time of one sample at the base over that here; below 1, the same work costs more.

    ``base_samples`` and ``own_samples`` are those of one step over all ranks. With it, the efficiency of a
    rung is that of the base times the ratio of parallel efficiencies times this.
    """
    before = base.useful_ns.scaled(base.num_ranks / base_samples)
    return quotient(before, own.useful_ns.scaled(own.num_ranks / own_samples))


def _waits(steps: Steps, size: int | None) -> tuple[Array, Array]:
    """What transfer in no time, and stages that never wait, take away from each step [S]."""
    table, last = table_of(steps), last_arrivers(steps, size)
    exposed, staged = table.phases[Phase.COMMUNICATION], at_rows(table.stage_wait, last)
    if not has_meetings(steps, size):
        return np.zeros_like(staged), staged
    is_divided = Phase.STAGE_WAIT in table.phases or groups_of(steps, size) is not None
    return at_rows(exposed, last) if is_divided else exposed[rows_that_met(steps, size)].min(axis=0), staged


def _mean_useful(steps: Steps, kept: Array) -> Array:
    """Mean over all ranks of the useful time over all steps, over resamples."""
    if steps.summary is None:
        return np.asarray(kept.mean(axis=0))
    medians = sum(np.asarray(steps.summary.median_ns[phase], dtype=np.float64) for phase in DEVICE_PHASES)
    # The mean over ranks, as a share of the largest, does not hang on which of them were kept whole.
    return np.asarray(kept.max(axis=0) * float(np.mean(medians) / np.max(medians)))
