"""Where one predicted curve overtakes another, as an interval of sizes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import PREDICTION_LEVEL, Prediction, half_widths
from saih.domain.interval import Interval

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaking:
    """The size at which ``above`` becomes longer than ``below``, cut where no numbers are given."""

    size: Interval
    is_open_below: bool
    is_open_above: bool


def overtakings(below: Prediction, above: Prediction, sizes: Array, count: int) -> tuple[Overtaking, ...]:
    """Every change of order from ``below`` being longer to ``above`` being longer, over growing ``sizes``.

    Both predictions are at these sizes. The interval holds the sizes around the change at which the interval
    of the ratio holds 1: it misses the true crossing as seldom as that at this one size misses the true ratio
    (Fieller, J. R. Statist. Soc. B 16, 1954, 175). ``count`` is that of the points behind the predictions.
    """
    logs = above.log_value - below.log_value
    halves = np.hypot(half_widths(below), half_widths(above))
    changes = np.flatnonzero((logs[:-1] < 0) & (logs[1:] >= 0))
    equal = np.abs(logs) <= halves
    return tuple(_overtaking(sizes, logs, equal, int(place), count) for place in changes)


def _overtaking(sizes: Array, logs: Array, equal: NDArray[np.bool_], place: int, count: int) -> Overtaking:
    root = _root(sizes, logs, place)
    low, high = place, place + 1
    while low > 0 and equal[low]:
        low -= 1
    while high < len(sizes) - 1 and equal[high]:
        high += 1
    size = Interval(
        low=float(min(sizes[low], root)),
        value=root,
        high=float(max(sizes[high], root)),
        level=PREDICTION_LEVEL,
        count=count,
    )
    return Overtaking(size=size, is_open_below=bool(equal[low]), is_open_above=bool(equal[high]))


def _root(sizes: Array, logs: Array, place: int) -> float:
    """Where the ratio is one between two neighbouring sizes, by a straight line in log-log."""
    left, right = float(logs[place]), float(logs[place + 1])
    share = left / (left - right) if left != right else 0.5
    return float(sizes[place] ** (1 - share) * sizes[place + 1] ** share)
