"""Whether the network learned while it was measured: a robust test that the loss falls."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from saih.analyzer.correlation import correlation_time
from saih.domain.interval import median
from saih.domain.trend import LossCheck
from workloads.activity import TRAINING, Activity

FEWEST_LOSSES = 8
SIGNIFICANCE = 0.01
"""Chance of calling independent losses that do not fall a falling series; about 0.05 where an AR(1) of
0.6 joins 20 to 60 of them."""


def check_loss(losses: Sequence[float], activity: Activity = TRAINING) -> LossCheck:
    """Medians of the first and last quarter of the losses, and whether the fall is more than noise.

    Where nothing is trained the number of each step is only told.

    Mann-Kendall test for a falling trend at 1 %, with the statistic shrunk by the correlation time of the
    residuals around a monotone curve (after Hamed & Rao, J. Hydrology 204, 1998, 182).
    """
    if not losses:
        statement = f"No {activity.scalar} was recorded."
        return LossCheck(
            first=math.nan, last=math.nan, is_learning=False, statement=statement, name=activity.scalar
        )
    quarter = max(len(losses) // 4, 1)
    first, last = median(losses[:quarter]), median(losses[-quarter:])
    change = (
        f"from {first:.4g} to {last:.4g} over {len(losses)} steps (medians of the first and last quarter)"
    )
    if not activity.has_gradients:
        statement = f"The {activity.scalar} of {len(losses)} steps is finite; nothing is trained."
        return LossCheck(first=first, last=last, is_learning=None, statement=statement, name=activity.scalar)
    if len(losses) < FEWEST_LOSSES:
        statement = f"The loss went {change}; {FEWEST_LOSSES} steps are needed to tell whether it falls."
        return LossCheck(first=first, last=last, is_learning=False, statement=statement)
    is_learning = last < first and _falls(losses)
    if is_learning:
        statement = f"The network learns: the loss fell {change}."
    else:
        statement = f"No learning seen: the loss went {change}, which noise alone explains."
    return LossCheck(first=first, last=last, is_learning=is_learning, statement=statement)


def _falls(losses: Sequence[float]) -> bool:
    values = np.asarray(losses, dtype=np.float64)
    count = len(values)
    earlier, later = _pairs(count)
    statistic = float(np.sign(values[later] - values[earlier]).sum())
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    score = (statistic + 1) / deviation
    # No correlation makes a score larger, and none is longer than a third of the series: most scores need no
    # curve to be told by.
    if not _is_significant(score):
        return False
    if _is_significant(score / math.sqrt(count / 3)):
        return True
    residuals = values - optimize.isotonic_regression(values, increasing=False).x
    return _is_significant(score / math.sqrt(correlation_time(residuals)))


def _is_significant(score: float) -> bool:
    return bool(special.ndtr(score) < SIGNIFICANCE)


@lru_cache(maxsize=16)
def _pairs(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The earlier and the later one of every pair of so many losses."""
    earlier, later = np.triu_indices(count, 1)
    return earlier, later
