"""What the laws of a trend say at all sizes that anybody asks for, computed once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import GREATEST_FACTOR, Law, Prediction, intervals, predict_all
from saih.analyzer.recombination import Composition, predict_parts
from saih.analyzer.step_rule import Parts, recombine
from saih.domain.interval import Interval

Array = NDArray[np.float64]

_PLACES = 160
"""Sizes between the smallest and the greatest allowed at which crossings are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Predictions at growing sizes: of the parts, of the step made from them, of the law of whole steps."""

    sizes: Array
    parts: Parts
    step: Prediction
    whole: Prediction
    count: int
    """Points behind them."""

    def step_at(self, size: float) -> Interval:
        """The composed step at one of the sizes."""
        return intervals(self.pick(self.step, np.array([size])), self.count)[0]

    def whole_at(self, size: float) -> Interval:
        """The law of whole steps at one of the sizes."""
        return intervals(self.pick(self.whole, np.array([size])), self.count)[0]

    def pick(self, prediction: Prediction, sizes: Array) -> Prediction:
        """A prediction of this forecast at some of its sizes."""
        places = np.minimum(np.searchsorted(self.sizes, sizes * (1 - 1e-12)), len(self.sizes) - 1)
        return replace(
            prediction,
            log_value=prediction.log_value[places],
            log_deviation=prediction.log_deviation[places],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Of what a forecast is wanted."""

    composition: Composition
    total: Law
    """Of whole steps."""
    sizes: Array
    greatest: float
    """Largest size that can exist."""


def forecast(composition: Composition, total: Law, sizes: Array, greatest: float) -> Forecast:
    """``forecast_all`` for one."""
    return forecast_all([Wanted(composition=composition, total=total, sizes=sizes, greatest=greatest)])[0]


def forecast_all(wanted: Sequence[Wanted]) -> list[Forecast]:
    """Predictions at the sizes of each and over the whole range in which numbers are given.

    Trends over the same sizes are looked at together, which costs a fraction and changes nothing.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    grids = [_grid(one) for one in wanted]
    for place, grid in enumerate(grids):
        groups[grid.tobytes()].append(place)
    found: dict[int, Forecast] = {}
    for places in groups.values():
        some = _forecasts([wanted[place] for place in places], grids[places[0]])
        found.update(zip(places, some, strict=True))
    return [found[place] for place in range(len(wanted))]


def _grid(one: Wanted) -> Array:
    largest = float(one.total.sizes[-1])
    end = max(min(GREATEST_FACTOR * largest, one.greatest), largest)
    everywhere = np.geomspace(float(one.total.sizes[0]), end, _PLACES)
    return np.unique(np.concatenate([one.sizes, everywhere]))


def _forecasts(wanted: Sequence[Wanted], grid: Array) -> list[Forecast]:
    parts = predict_parts([one.composition for one in wanted], grid)
    wholes = predict_all([one.total for one in wanted], grid)
    return [
        Forecast(
            sizes=grid,
            parts=own,
            step=recombine(one.composition.rule, own),
            whole=whole,
            count=one.composition.rule.num_points,
        )
        for one, own, whole in zip(wanted, parts, wholes, strict=True)
    ]
