"""What plain methods foresee at the end of a trend, and how they did beside our law in forward chaining."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.chaining import chain
from saih.analyzer.fit import Law
from saih.analyzer.peers import peers
from saih.analyzer.repeats import medians_by_size
from saih.analyzer.stack import LARGEST_ERROR, TUNING
from saih.domain.peer import PeerForecast

Array = NDArray[np.float64]

_FEWEST_JUDGED = 5
"""Sizes that leave three values to foresee; fewer say nothing of who foresees better."""


def peer_forecasts(
    sizes: Sequence[float], values: Sequence[float], target: float
) -> tuple[PeerForecast, ...]:
    """Each peer at ``target``. Errors are those at the places at which the stack of our law is judged."""
    x, logs = medians_by_size(sizes, np.log(np.asarray(values, dtype=np.float64)))
    errors = _chained_errors(np.log(x), logs) if len(x) >= _FEWEST_JUDGED else {}
    return tuple(
        PeerForecast(
            name=peer.name,
            size=target,
            value_ns=float(peer.at(np.array([target]))[0]),
            chained_error=errors.get(peer.name),
        )
        for peer in peers(sizes, values)
    )


def own_chained_error(law: Law) -> float | None:
    """Root mean square log error of the stack in forward chaining, without what it is taken to err before."""
    stack = law.stack
    if stack is None or len(np.unique(law.sizes)) < _FEWEST_JUDGED:
        return None
    count, prior = stack.num_chained, TUNING.prior_count
    squares = stack.chained_error**2 * (count + prior) - prior * TUNING.prior_error**2
    return float(np.sqrt(max(squares, 0.0) / count))


def _chained_errors(x: Array, y: Array) -> dict[str, float]:
    """Of the lines through each prefix of three points or more, read at the next two points."""
    chained = chain(len(x))
    count = chained.begins.astype(np.float64)
    last, read = chained.begins - 1, x[chained.places]
    sums = {name: np.cumsum(part)[last] for name, part in (("x", x), ("y", y), ("xx", x * x), ("xy", x * y))}
    slope = (count * sums["xy"] - sums["x"] * sums["y"]) / (count * sums["xx"] - sums["x"] ** 2)
    level = (sums["y"] - slope * sums["x"]) / count
    steep = (y[last] - y[last - 1]) / (x[last] - x[last - 1])
    foreseen = {
        "power law": level[:, None] + slope[:, None] * read,
        "last slope": y[last][:, None] + steep[:, None] * (read - x[last][:, None]),
    }
    return {
        name: float(np.sqrt(chained.ahead(_capped(logs - y[chained.places]))[-1] / chained.num_ahead[-1]))
        for name, logs in foreseen.items()
    }


def _capped(errors: Array) -> Array:
    return np.asarray(np.minimum(errors**2, LARGEST_ERROR**2))
