"""How often the interval of a foreseen crossing of two parts of a step holds the true one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_truths_components import Parts, composed
from benchmarks.known_truths_series import PLAIN, SIZES
from saih.analyzer.component_crossing import Reach, component_crossings
from saih.analyzer.fit import GREATEST_FACTOR, fit_law
from saih.analyzer.forecast import forecast
from saih.analyzer.recombination import predict_step

Array = NDArray[np.float64]


def crossing_size(case: Parts) -> float:
    """The true size at which the second part becomes the longer one.

    Raises:
        ValueError: where the case has none.
    """
    if case.overtakes is None:
        raise ValueError(f"{case.name} has no crossing")
    sizes = case.smallest * np.geomspace(1, GREATEST_FACTOR * SIZES[-1], 200_001)
    below, above = (law(sizes) for law in case.overtakes)
    return float(sizes[int(np.argmax(above > below))])


def crossing_hits(
    case: Parts, sigma: float, num_draws: int, generator: np.random.Generator
) -> Sequence[bool | None]:
    """Whether the foreseen interval held the true crossing; None where no crossing was foreseen."""
    truth = crossing_size(case)
    return [_hit(case, truth, sigma, generator) for _ in range(num_draws)]


def _hit(case: Parts, truth: float, sigma: float, generator: np.random.Generator) -> bool | None:
    composition, sizes = composed(case, PLAIN, sigma, generator)
    steps = np.exp(predict_step(composition, sizes).log_value)
    total = fit_law(sizes.tolist(), steps.tolist(), sigma, case.family.whole)
    if total is None:
        raise ValueError(f"{len(sizes)} sizes must support a law")
    found = component_crossings(forecast(composition, total, sizes, np.inf), Reach(largest=float(sizes[-1])))
    return any(one.size.low <= truth <= one.size.high for one in found) if found else None
