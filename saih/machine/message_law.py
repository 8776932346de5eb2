"""Latency and bandwidth of messages: one law, or one for each protocol with the sizes where it switches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from saih.domain.ceiling import LatencySegment

_LEAST_SHARE = 1e-6
_FEWEST = 3
"""Sizes of a segment: one more than its law has constants."""
_MOST_SWITCHES = 2
_LEAST_RESIDUAL = 0.02
"""Root mean square of log residuals below which no better law is looked for: timers are no better."""
_PARAMETERS_OF_SWITCH = 2
"""A place that was searched for counts twice, as for knees of trends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBandwidth:
    """t = alpha + bytes / beta. None where the times do not show the term."""

    latency_s: float | None
    bytes_per_s: float | None


def fit_segments(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> tuple[LatencySegment, ...]:
    """Alpha and beta of every protocol, by growing size; one segment where no switch is in the data.

    Every way to cut the sizes into at most three runs of at least three is fitted, and the least AICc of
    the log residuals decides (Hurvich & Tsai 1989). Empty for fewer than three sizes.
    """
    sizes, times = np.asarray(sizes_bytes, dtype=float), np.asarray(times_s, dtype=float)
    scored = [(_score(sizes, times, cuts), cuts) for cuts in _cuts(len(sizes))]
    if not scored:
        return ()
    _, cuts = min(scored)
    return tuple(_segment(sizes[begin:end], times[begin:end]) for begin, end in _runs(cuts))


def fit_latency_bandwidth(sizes_bytes: Sequence[float], times_s: Sequence[float]) -> LatencyBandwidth:
    """Alpha and beta of t = alpha + bytes / beta by non-negative least squares with weights 1/t.

    The weights make the residuals relative: otherwise the largest messages alone decide the latency
    (Hockney 1994 for the law).
    """
    sizes, times = np.asarray(sizes_bytes, dtype=float), np.asarray(times_s, dtype=float)
    alpha, slope = _fitted(sizes, times)
    # A term that adds less to every time than rounding does is not in the data.
    return LatencyBandwidth(
        latency_s=alpha if alpha > _LEAST_SHARE * times.min() else None,
        bytes_per_s=1 / slope if slope * sizes.max() > _LEAST_SHARE * times.max() else None,
    )


def _fitted(sizes: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[float, float]:
    """Alpha [s] and seconds per byte."""
    from scipy.optimize import nnls  # noqa: PLC0415 - slow to load, and every rank would

    # The two columns differ by many orders of magnitude; scaled ones keep the solver's pivots apart.
    scale = sizes.max()
    design = np.stack([1 / times, sizes / scale / times], axis=1)
    (alpha, slope), _ = nnls(design, np.ones_like(times))
    return float(alpha), float(slope / scale)


def _segment(sizes: NDArray[np.float64], times: NDArray[np.float64]) -> LatencySegment:
    law = fit_latency_bandwidth(sizes.tolist(), times.tolist())
    return LatencySegment(
        from_bytes=float(sizes[0]),
        to_bytes=float(sizes[-1]),
        latency_s=law.latency_s,
        bytes_per_s=law.bytes_per_s,
    )


def _squares(sizes: NDArray[np.float64], times: NDArray[np.float64]) -> float:
    """Sum of squared log residuals: half and twice the time are equally wrong."""
    alpha, slope = _fitted(sizes, times)
    return float((np.log((alpha + slope * sizes) / times) ** 2).sum())


Cuts = tuple[int, ...]
"""Where runs begin and end: 0 first, the count of sizes last."""


def _cuts(count: int) -> Iterator[Cuts]:
    for num_switches in range(_MOST_SWITCHES + 1):
        for inner in combinations(range(1, count), num_switches):
            cuts = (0, *inner, count)
            if all(end - begin >= _FEWEST for begin, end in _runs(cuts)):
                yield cuts


def _runs(cuts: Cuts) -> Iterator[tuple[int, int]]:
    return pairwise(cuts)


def _score(sizes: NDArray[np.float64], times: NDArray[np.float64], cuts: Cuts) -> float:
    count = len(sizes)
    parameters = 2 * (len(cuts) - 1) + _PARAMETERS_OF_SWITCH * (len(cuts) - 2)
    spare = count - parameters - 1
    if spare < 1:
        return math.inf if len(cuts) > 2 else 0.0
    squares = sum(_squares(sizes[begin:end], times[begin:end]) for begin, end in _runs(cuts))
    residual = max(squares / count, _LEAST_RESIDUAL**2)
    return count * math.log(residual) + 2 * parameters + 2 * parameters * (parameters + 1) / spare
