"""Plain methods beside our laws: whoever does better in forward chaining is to be seen.

Extra-P, the third peer, needs an environment of its own: ``python -m benchmarks.public_series``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.repeats import medians_by_size

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
    distinct, y = medians_by_size(sizes, np.log(np.asarray(values, dtype=np.float64)))
    if len(distinct) < FEWEST:
        return ()
    x = np.log(distinct)
    return _peer("power law", _regression, x, y), _peer("last slope", _last_slope, x, y)


Line = Callable[[Array, Array], tuple[Array, Array]]
"""From logs of sizes and values to exponent and log factor of the line through each prefix of two or more."""


def _peer(name: str, line: Line, x: Array, y: Array) -> Peer:
    exponents, factors = line(x, y)
    errors = factors[:-1] + exponents[:-1] * x[FEWEST:] - y[FEWEST:]
    return Peer(
        name=name,
        exponent=float(exponents[-1]),
        log_factor=float(factors[-1]),
        chained_error=float(np.sqrt(np.mean(np.square(errors)))) if len(errors) else None,
    )


def _regression(x: Array, y: Array) -> tuple[Array, Array]:
    """From running sums of both as they lie around their means, which keeps the digits."""
    own, other = x - x.mean(), y - y.mean()
    count = np.arange(FEWEST, len(x) + 1)
    sum_x, sum_y, sum_xx, sum_xy = (
        np.cumsum(part)[FEWEST - 1 :] for part in (own, other, own * own, own * other)
    )
    exponents = (count * sum_xy - sum_x * sum_y) / (count * sum_xx - sum_x**2)
    return exponents, (sum_y - exponents * sum_x) / count + y.mean() - exponents * x.mean()


def _last_slope(x: Array, y: Array) -> tuple[Array, Array]:
    exponents = np.diff(y) / np.diff(x)
    return exponents, y[1:] - exponents * x[1:]
