"""Plain methods beside our laws: whoever does better in forward chaining is to be seen.

Extra-P, the third peer, needs an environment of its own: ``python -m benchmarks.public_series``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A straight line in log-log."""

    name: str
    exponent: float
    log_factor: float
    """Log of the value at size 1."""
    chained_error: float | None
    """Root mean square of log(foreseen / measured) when each next point was foreseen from all before it;
    None for two sizes, which leave nothing to foresee."""

    def at(self, sizes: Array) -> Array:
        """The values that it foresees."""
        return np.exp(self.log_factor + self.exponent * np.log(sizes))


def peers(sizes: Sequence[float], values: Sequence[float]) -> tuple[Peer, ...]:
    """The power law and the last slope; none for fewer than two distinct sizes.

    The power law is the regression line through all points in log-log; the last slope is the straight line
    through the two largest sizes. Points that share a size are repeats: their median counts.
    """
    given, logs = np.asarray(sizes, dtype=np.float64), np.log(np.asarray(values, dtype=np.float64))
    distinct = np.unique(given)
    if len(distinct) < FEWEST:
        return ()
    x, y = np.log(distinct), np.array([np.median(logs[given == size]) for size in distinct])
    return _peer("power law", _regression, x, y), _peer("last slope", _last_slope, x, y)


Line = Callable[[Array, Array], tuple[float, float]]
"""From logs of sizes and values to exponent and log factor."""


def _peer(name: str, line: Line, x: Array, y: Array) -> Peer:
    errors = []
    for count in range(FEWEST, len(x)):
        exponent, factor = line(x[:count], y[:count])
        errors.append(factor + exponent * x[count] - y[count])
    exponent, factor = line(x, y)
    return Peer(
        name=name,
        exponent=exponent,
        log_factor=factor,
        chained_error=float(np.sqrt(np.mean(np.square(errors)))) if errors else None,
    )


def _regression(x: Array, y: Array) -> tuple[float, float]:
    centred = x - x.mean()
    exponent = float(centred @ y / (centred @ centred))
    return exponent, float(y.mean() - exponent * x.mean())


def _last_slope(x: Array, y: Array) -> tuple[float, float]:
    exponent = float((y[-1] - y[-2]) / (x[-1] - x[-2]))
    return exponent, float(y[-1] - exponent * x[-1])
