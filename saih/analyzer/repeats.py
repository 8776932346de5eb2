"""Points that share a size are repeats: their median counts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def medians_by_size(sizes: Sequence[float] | Array, values: Sequence[float] | Array) -> tuple[Array, Array]:
    """The distinct sizes, growing, and the median of the values at each."""
    x, y = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    begins = np.flatnonzero(np.append(True, x[1:] > x[:-1])[: len(x)])
    if len(begins) == len(x):  # without repeats, which most lines are
        return x, y
    return x[begins], np.array([np.median(some) for some in np.split(y, begins[1:])])
