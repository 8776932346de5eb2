"""POP efficiencies of a point: how much of its rank-time is useful, and where the rest goes."""

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.critical_path import DEVICE_PHASES, has_meetings
from saih.analyzer.propagation import quotient
from saih.analyzer.resampling import intervals_of, resampled_sums
from saih.domain.efficiency import PopEfficiency
from saih.domain.interval import Interval
from saih.domain.record import Phase, Steps

Array = NDArray[np.float64]


def efficiency_of(steps: Steps) -> PopEfficiency:
    """The hierarchy of POP over all steps, with bootstrap intervals over them; 1 rank has balance 1.

    The duration is the sum of the slowest ranks. A network that transfers in no time leaves of each exchange
    the waiting for the last arriver alone, so that it takes away what the rank with the least exposed
    exchange spends in it (Dimemas' ideal network, replayed). Of ranks that were not kept whole the medians
    stand for the useful time.
    """
    useful = np.asarray(
        np.sum([np.asarray(steps.duration_ns[one], dtype=np.float64) for one in DEVICE_PHASES], axis=0)
    )
    duration = np.asarray(steps.slowest_ns, dtype=np.float64)
    exposed = np.asarray(steps.duration_ns[Phase.COMMUNICATION], dtype=np.float64)
    transfer = exposed.min(axis=0) if has_meetings(steps) else np.zeros_like(duration)
    sums = resampled_sums(np.vstack([useful, duration, duration - transfer]))
    largest, whole, ideal = sums[:-2].max(axis=0), sums[-2], sums[-1]
    mean = _mean_useful(steps, sums[:-2])
    parts = {
        "useful_ns": mean / steps.num_steps,
        "parallel": mean / whole,
        "load_balance": mean / largest,
        "communication": largest / whole,
        "serialisation": largest / ideal,
        "transfer": ideal / whole,
    }
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


def _mean_useful(steps: Steps, kept: Array) -> Array:
    """Mean over all ranks of the useful time over all steps, over resamples."""
    if steps.summary is None:
        return np.asarray(kept.mean(axis=0))
    medians = sum(np.asarray(steps.summary.median_ns[phase], dtype=np.float64) for phase in DEVICE_PHASES)
    # The mean over ranks, as a share of the largest, does not hang on which of them were kept whole.
    return np.asarray(kept.max(axis=0) * float(np.mean(medians) / np.max(medians)))
