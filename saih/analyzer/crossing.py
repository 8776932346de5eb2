"""Where along an axis one system passes the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.comparison_ratio import LEVEL
from saih.domain.interval import Interval

Array = NDArray[np.float64]
Band = Callable[[Array], tuple[Array, Array]]
"""Sizes to log(ratio) and the half-width of its interval there."""

_GRID = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """Where the sign of log(ratio) changes, between the places of two points that surely differ."""

    size: Interval
    place_below: int
    place_above: int
    rises: bool
    """A is slower below and faster above."""


def passings(sizes: Sequence[float], signs: Sequence[int], band: Band) -> tuple[Passing, ...]:
    """Every change of sign between points that surely differ.

    ``signs`` are 1 where A is surely faster, -1 where it is surely slower, else 0. The interval holds all
    sizes at which the band holds equal speed: it misses the true crossing as seldom as the band at that one
    size misses the true ratio, since just that is asked of it (Fieller, J. R. Statist. Soc. B 16, 1954, 175).
    """
    sure = [place for place, sign in enumerate(signs) if sign]
    return tuple(
        _passing(sizes, below, above, band, rises=signs[above] > 0)
        for below, above in pairwise(sure)
        if signs[below] != signs[above]
    )


def _passing(sizes: Sequence[float], below: int, above: int, band: Band, *, rises: bool) -> Passing:
    grid = np.geomspace(sizes[below], sizes[above], _GRID)
    logs, halves = band(grid)
    changes = np.flatnonzero(np.sign(logs[1:]) != np.sign(logs[:-1]))
    place = int(changes[len(changes) // 2]) if len(changes) else _GRID // 2
    root = _root(grid, logs, place)
    equal = grid[np.abs(logs) <= halves]
    if not len(equal):  # so sure that it lies between two neighbours of the grid
        equal = grid[place : place + 2]
    low, high = float(equal[0]), float(equal[-1])
    size = Interval(low=min(low, root), value=root, high=max(high, root), level=LEVEL, count=len(sizes))
    return Passing(size=size, place_below=below, place_above=above, rises=rises)


def _root(grid: Array, logs: Array, place: int) -> float:
    """Where the ratio is one between two places of the grid, by a straight line in log-log."""
    left, right = float(logs[place]), float(logs[place + 1])
    share = left / (left - right) if left != right else 0.5
    return float(grid[place] ** (1 - share) * grid[place + 1] ** share)
