"""How evenly ranks work: the slowest one against the mean of all."""

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import ADDITIVE_PHASES, Phase, Steps
from saih.domain.trend import RankBalance

_WORK_PHASES = tuple(phase for phase in ADDITIVE_PHASES if phase is not Phase.COMMUNICATION)


def balance_of(steps: Steps) -> RankBalance | None:
    """Work of every rank (sum of the medians of its phases but the exposed exchange); None for one rank.

    Load balance as POP defines it (mean over largest useful time; https://pop-coe.eu/node/69), upside down.
    Where only some ranks were kept whole, the medians of all of them were, and count here.
    """
    if steps.num_ranks < 2:
        return None
    work = _medians(steps).sum(axis=0)
    mean = float(work.mean())
    if mean <= 0:
        return None
    slowest = int(np.argmax(work))
    return RankBalance(
        num_ranks=steps.num_ranks,
        slowest_rank=slowest,
        mean_work_ns=mean,
        imbalance=float(work[slowest]) / mean,
    )


def _medians(steps: Steps) -> NDArray[np.float64]:
    """Median of each phase of work on every rank [phases, ranks] in ns."""
    if steps.summary is not None:
        medians = [steps.summary.median_ns[phase] for phase in _WORK_PHASES]
        return np.asarray(medians, dtype=np.float64)
    rows = np.asarray([steps.duration_ns[phase] for phase in _WORK_PHASES], dtype=np.float64)
    return np.asarray(np.median(rows, axis=-1), dtype=np.float64)
