"""How evenly ranks work: the slowest one against the mean of all."""

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.step_table import table_of
from saih.domain.record import ADDITIVE_PHASES, Phase, Steps
from saih.domain.trend import RankBalance

_WORK_PHASES = tuple(phase for phase in ADDITIVE_PHASES if phase is not Phase.COMMUNICATION)


def balance_of(steps: Steps, size: int | None = None) -> RankBalance | None:
    """Work of every rank (sum of the medians of its phases but those in which it waits); None for one rank.

    Load balance as POP defines it (mean over largest useful time; https://pop-coe.eu/node/69), upside down.
    Where only some ranks were kept whole, the medians of all of them were, and count here. Where ``size`` of
    several ranks meet, the slowest is held against those that it meets; where none meet, against all.
    """
    if steps.num_ranks < 2:
        return None
    work = _medians(steps).sum(axis=0)
    slowest, count = int(np.argmax(work)), size if size is not None and size > 1 else steps.num_ranks
    mates = work[slowest // count * count :][:count]
    mean = float(mates.mean())
    if mean <= 0:
        return None
    return RankBalance(
        num_ranks=len(mates),
        slowest_rank=slowest,
        mean_work_ns=mean,
        imbalance=float(work[slowest]) / mean,
        is_awaited=size != 1,
    )


def _medians(steps: Steps) -> NDArray[np.float64]:
    """Median of each phase of work on every rank [phases, ranks] in ns."""
    if steps.summary is not None:
        medians = [steps.summary.median_ns[phase] for phase in _WORK_PHASES]
        return np.asarray(medians, dtype=np.float64)
    phases = table_of(steps).phases
    return np.asarray(np.median([phases[phase] for phase in _WORK_PHASES], axis=-1), dtype=np.float64)
