"""What the laws of a trend say at all sizes that anybody asks for, computed once."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import GREATEST_FACTOR, Law, Prediction, intervals, predict
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


def forecast(composition: Composition, total: Law, sizes: Array, greatest: float) -> Forecast:
    """Predictions at ``sizes`` and over the whole range in which numbers are given."""
    largest = float(total.sizes[-1])
    end = max(min(GREATEST_FACTOR * largest, greatest), largest)
    everywhere = np.geomspace(float(total.sizes[0]), end, _PLACES)
    grid = np.unique(np.concatenate([sizes, everywhere]))
    parts = predict_parts(composition, grid)
    return Forecast(
        sizes=grid,
        parts=parts,
        step=recombine(composition.rule, parts),
        whole=predict(total, grid),
        count=composition.rule.num_points,
    )
