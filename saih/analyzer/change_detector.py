"""Steps in a series of measurements, found by ruptures and tested against no step at all.

The places come from optimal partitioning (ruptures; Truong, Oudre & Vayatis, Signal Processing 167, 2020).
How many steps there are is decided by tests, one step more at a time: the greatest studentised step of normal
noise of this length is simulated, so that a series without a step gives a false alarm as seldom as was asked.
Beyond what was simulated a bound over all places stands in, so that one of many series can give an alarm.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.comparison_ratio import LEVEL
from saih.domain.errors import EnvironmentMissing

Array = NDArray[np.float64]

FEWEST_RUNS = 6
FEWEST_BETWEEN = 2
"""A step is told from its second run on: one run alone may be bad luck."""
_NUM_SIMULATED = 9999
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step before the value number ``place``, as the difference of the means, with its half-width."""

    place: int
    size: float
    half_width: float


def first_p_value(values: Array) -> float:
    """How likely so great a step is in a series without one; 1 for too few values."""
    if len(values) < FEWEST_RUNS:
        return 1.0
    return _p_value(_greatest(values[None, :])[0], len(values))


def steps_of(values: Array, alpha: float) -> tuple[Step, ...]:
    """The steps of a series whose first one was found to be real, further ones at the rate ``alpha``."""
    places: list[int] = []
    for count in range(1, min(len(values) // FEWEST_BETWEEN, _MOST_STEPS + 1)):
        found = _partition(values, count)
        if count > 1 and not _is_better(values, places, alpha):
            break
        places = found
    return _sized(values, places)


def detector() -> ModuleType:
    """The library that finds the places of steps.

    Raises:
        EnvironmentMissing: where it is not installed.
    """
    try:
        import ruptures  # noqa: PLC0415 - an extra that only histories need
    except ImportError as error:
        raise EnvironmentMissing(
            "histories need the package ruptures, which is not installed",
            "in SAIH's folder: pip install -e '.[history]'.",
        ) from error
    return ruptures


def _partition(values: Array, count: int) -> list[int]:
    """The best ``count`` places by least squares."""
    search = detector().Dynp(model="l2", min_size=FEWEST_BETWEEN, jump=1).fit(values[:, None])
    return [int(place) for place in search.predict(n_bkps=count)[:-1]]


def _is_better(values: Array, places: Sequence[int], alpha: float) -> bool:
    """Whether any part between these places holds a further step."""
    bounds = [0, *places, len(values)]
    parts = [values[low:high] for low, high in pairwise(bounds)]
    testable = [part for part in parts if len(part) >= FEWEST_RUNS]
    return any(_p_value(_greatest(part[None, :])[0], len(part)) < alpha / len(testable) for part in testable)


def _sized(values: Array, places: Sequence[int]) -> tuple[Step, ...]:
    """Steps with half-widths that also hold for places that were searched for."""
    bounds = [0, *places, len(values)]
    parts = [values[low:high] for low, high in pairwise(bounds)]
    squares = sum(float(np.sum((part - part.mean()) ** 2)) for part in parts)
    freedom = max(len(values) - len(parts), 1)
    width = _critical(len(values)) * math.sqrt(squares / freedom)
    return tuple(
        Step(
            place=place,
            size=float(after.mean() - before.mean()),
            half_width=width * math.sqrt(1 / len(before) + 1 / len(after)),
        )
        for place, before, after in zip(places, parts[:-1], parts[1:], strict=True)
    )


def _greatest(rows: Array) -> Array:
    """For each row the greatest |t| of a step at any allowed place."""
    num_values = rows.shape[1]
    places = np.arange(FEWEST_BETWEEN, num_values - FEWEST_BETWEEN + 1)
    centred = rows - rows.mean(axis=1, keepdims=True)
    before = np.cumsum(centred, axis=1)[:, places - 1]
    explained = before**2 * num_values / (places * (num_values - places))
    total = np.sum(centred**2, axis=1, keepdims=True)
    rest = np.maximum(total - explained, 1e-12 * np.maximum(total, 1e-300))
    return np.asarray(np.sqrt((explained / rest * (num_values - 2)).max(axis=1)))


@cache
def _simulated(num_values: int) -> Array:
    """Sorted greatest |t| of steps in normal noise, the same in every run of the program."""
    generator = np.random.default_rng(num_values)
    return np.sort(_greatest(generator.standard_normal((_NUM_SIMULATED, num_values))))


def _p_value(score: float, num_values: int) -> float:
    simulated = _simulated(num_values)
    above = len(simulated) - int(np.searchsorted(simulated, score, side="left"))
    resolved = (above + 1) / (len(simulated) + 1)
    return resolved if above else min(resolved, _bound(score, num_values))


def _bound(score: float, num_values: int) -> float:
    """Bonferroni's: at each place the step of normal noise has Student's t with two degrees spent."""
    num_places = num_values - 2 * FEWEST_BETWEEN + 1
    return float(num_places * 2 * special.stdtr(num_values - 2, -score))


def _critical(num_values: int) -> float:
    return float(np.quantile(_simulated(num_values), LEVEL))
