"""What is known of every point of a grid from those that were measured, and how surely.

Along one axis the law of the step foresees the others; over several axes a Gaussian process in log-log does,
as for the advisor of measurement points of Extra-P. Between measured sizes a law may
bend: that doubt grows with the distance to the nearest of them. A leave-one-out test widens what is too sure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.analyzer.fit import GREATEST_FACTOR, LEAST_NOISE, PREDICTION_LEVEL, fit_law, half_widths, predict
from saih.analyzer.next_point_surface import Surface, fit_surface
from saih.analyzer.propagation import log_deviation, normal_quantile
from saih.analyzer.terms import GROWTH, Library
from saih.domain.interval import Interval

Array = NDArray[np.float64]

BEND_PER_OCTAVE = 0.03
"""Standard deviation of log(step) around the law, for each doubling to the nearest measured size."""
LEFT_OUT_LEVEL = 0.7
"""Intervals grow where the worst of the points left out is further off than by this probability."""
UNKNOWN = 3.0
"""Half-width in log where nothing can be said: a factor of 20."""
FEWEST_TESTED = 4
"""Measured points from which on leaving one out says something of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A point of the grid: its size along every swept axis."""

    point_id: str
    sizes: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What is thought of the step at one place."""

    step_ns: float
    half_width: float
    """Of its 90 % interval, in log; ``UNKNOWN`` where nothing can be said."""
    is_measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Places, and the steps of those that were measured."""

    places: Sequence[Place]
    measured: Mapping[str, Interval]
    """Step [ns] by point id."""
    library: Library = field(default=GROWTH)
    """Which laws the step may follow where there is one axis."""


def beliefs(grid: Grid) -> Mapping[str, Belief]:
    """What is known of every place, by point id; a function of what was measured and nothing else."""
    known = [place for place in grid.places if place.point_id in grid.measured]
    steps = [grid.measured[place.point_id] for place in known]
    quantile = normal_quantile(PREDICTION_LEVEL)
    found = {
        place.point_id: Belief(
            step_ns=step.value, half_width=quantile * _own_deviation(step), is_measured=True
        )
        for place, step in zip(known, steps, strict=True)
    }
    left = [place for place in grid.places if place.point_id not in grid.measured]
    if not left:
        return found
    inflation = _inflation(known, steps, grid.library)
    logs, deviations = _foreseen(known, steps, left, grid.library)
    for place, log, deviation in zip(left, logs.tolist(), deviations.tolist(), strict=True):
        half_width = min(quantile * inflation * deviation, UNKNOWN)
        found[place.point_id] = Belief(step_ns=float(np.exp(log)), half_width=half_width, is_measured=False)
    return found


def _own_deviation(step: Interval) -> float:
    """Standard deviation of log(step) of another run."""
    return float(np.hypot(log_deviation(step), LEAST_NOISE))


def _foreseen(
    known: Sequence[Place], steps: Sequence[Interval], wanted: Sequence[Place], library: Library
) -> tuple[Array, Array]:
    """Log of the steps at the wanted places, and standard deviations of what is not known of them."""
    unknown = np.zeros(len(wanted)), np.full(len(wanted), UNKNOWN)
    if len(known) < 2:
        return unknown
    sizes, targets = _matrix(known), _matrix(wanted)
    values = np.array([step.value for step in steps])
    noise = float(np.sqrt(np.mean([_own_deviation(step) ** 2 for step in steps])))
    distances = np.abs(targets[:, None, :] - sizes[None, :, :]).sum(axis=2).min(axis=1)
    if sizes.shape[1] > 1:
        surface = fit_surface(sizes, np.log(values), noise)
        logs, deviations = _on_surface(surface, targets)
    else:
        logs, deviations = _on_law(sizes[:, 0], values, noise, targets[:, 0], library)
    return logs, np.hypot(deviations, BEND_PER_OCTAVE * distances)


def _matrix(places: Sequence[Place]) -> Array:
    """Octaves, ``[place, axis]``."""
    return np.log2(np.array([place.sizes for place in places], dtype=np.float64))


def _on_surface(surface: Surface, targets: Array) -> tuple[Array, Array]:
    logs, deviations = surface.at(targets)
    return logs, deviations


def _on_law(
    octaves: Array, values: Array, noise: float, targets: Array, library: Library
) -> tuple[Array, Array]:
    sizes, wanted = np.exp2(octaves), np.exp2(targets)
    law = fit_law(sizes.tolist(), values.tolist(), noise, library)
    logs, deviations = np.zeros(len(wanted)), np.full(len(wanted), UNKNOWN)
    is_near = (wanted <= GREATEST_FACTOR * sizes.max()) & (wanted >= sizes.min() / GREATEST_FACTOR)
    if law is not None and is_near.any():
        prediction = predict(law, wanted[is_near])
        # As deviations of a normal error whose 90 % are as wide: errors of laws have longer tails.
        logs[is_near] = prediction.log_value
        deviations[is_near] = half_widths(prediction) / normal_quantile(PREDICTION_LEVEL)
    return logs, deviations


def _inflation(known: Sequence[Place], steps: Sequence[Interval], library: Library) -> float:
    """By how much intervals must grow to hold the measured points when each is left out, at least 1.

    Corners are not left out: what lies beyond the rest tells nothing of what lies between.
    """
    if len(known) < FEWEST_TESTED:
        return 1.0
    sizes = _matrix(known)
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    squares = []
    for index, place in enumerate(known):
        if np.all((sizes[index] == low) | (sizes[index] == high)):
            continue
        others = [one for one in known if one is not place]
        rest = [step for number, step in enumerate(steps) if number != index]
        logs, deviations = _foreseen(others, rest, [place], library)
        own = _own_deviation(steps[index])
        gap = np.log(steps[index].value) - logs[0]
        squares.append(float(gap**2 / (deviations[0] ** 2 + own**2)))
    if not squares:
        return 1.0
    usual = float(special.ndtri((1 + LEFT_OUT_LEVEL ** (1 / len(squares))) / 2))
    return max(1.0, float(np.sqrt(max(squares))) / usual)
