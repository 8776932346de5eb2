"""Made-up series with known truths: their laws, and how far the forecasts of whole values are off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.fit import fit_law, intervals, predict
from saih.analyzer.terms import GROWTH, OWN_WORK, SHARED_WORK, Library

Array = NDArray[np.float64]
Truth = Callable[[Array], Array]

SIZES = np.exp2(np.arange(6, dtype=np.float64))
BEYOND = np.array([2.0, 4.0, 8.0])
"""Targets over the largest measured size."""
REPEATS = 3
MEDIAN_OF_THREE = 0.4487
"""Variance of the median of three normal values, in units of theirs."""
NOISES = (0.02, 0.08)
LIBRARIES: Mapping[str, Library] = {
    "strong": SHARED_WORK,
    "weak": OWN_WORK,
    "size": GROWTH,
}


def smooth_maximum(one: Array, other: Array) -> Array:
    """What takes as long as the longer of two, with a turn that is not sharp."""
    return np.asarray((one**8 + other**8) ** (1 / 8), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A law of whole values along one kind of axis."""

    name: str
    kind: str
    truth: Truth
    is_unseen: bool = False
    """Its regime changes beyond the measured sizes, or just at their end: no law of whole values can tell."""


CASES = (
    Case(name="1 + 40/p", kind="strong", truth=lambda p: 1 + 40 / p),
    Case(name="0.5 + 40/p + 0.15 log2 p", kind="strong", truth=lambda p: 0.5 + 40 / p + 0.15 * np.log2(p)),
    Case(name="0.05 + 40/p^0.85", kind="strong", truth=lambda p: 0.05 + 40 / p**0.85),
    Case(name="1 + 0.6 (p-1)/p + 0.004 p", kind="weak", truth=lambda p: 1 + 0.6 * (p - 1) / p + 0.004 * p),
    Case(name="1 + 0.1 log2 p", kind="weak", truth=lambda p: 1 + 0.1 * np.log2(p)),
    Case(name="1 + 0.03 p^0.75", kind="weak", truth=lambda p: 1 + 0.03 * p**0.75),
    Case(name="2 + 0.5 n", kind="size", truth=lambda n: 2 + 0.5 * n),
    Case(name="1 + 0.3 n + 0.004 n^2", kind="size", truth=lambda n: 1 + 0.3 * n + 0.004 * n**2),
    Case(name="1 + 0.3 n log2(n+1)", kind="size", truth=lambda n: 1 + 0.3 * n * np.log2(n + 1)),
    Case(name="0.5 + 0.1 n^1.7", kind="size", truth=lambda n: 0.5 + 0.1 * n**1.7),
    Case(name="n^1.15", kind="size", truth=lambda n: n**1.15),
    Case(
        name="0.2 + 40/p + 0.02 p (turns)",
        kind="strong",
        truth=lambda p: 0.2 + 40 / p + 0.02 * p,
        is_unseen=True,
    ),
    Case(
        name="max(0.9, 40/p) (input)",
        kind="strong",
        truth=lambda p: smooth_maximum(0.9 + 0 * p, 40 / p),
        is_unseen=True,
    ),
    Case(
        name="max(3, 0.12 n) (roofline)",
        kind="size",
        truth=lambda n: smooth_maximum(3 + 0 * n, 0.12 * n),
        is_unseen=True,
    ),
    Case(
        name="slope x3 from 24 (cache)",
        kind="size",
        truth=lambda n: 0.2 * n + 0.4 * np.maximum(n - 24, 0),
        is_unseen=True,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What may be wrong with a series."""

    name: str
    num_sizes: int = 6
    outlier: float = 1.0
    """One of the sizes but the largest takes so much longer."""
    uneven: float = 1.0
    """Noise at the largest size over that at the smallest; the laws are told one noise."""

    @property
    def sizes(self) -> Array:
        """The measured sizes, in units of the smallest."""
        return SIZES[: self.num_sizes]

    def noises(self, sigma: float, count: int) -> Array:
        """Of each size."""
        return sigma * np.geomspace(self.uneven**-0.5, self.uneven**0.5, count)


PLAIN = Condition(name="plain")
CONDITIONS = (
    PLAIN,
    Condition(name="4 sizes", num_sizes=4),
    Condition(name="outlier +30 %", outlier=1.3),
    Condition(name="uneven noise", uneven=4.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Medians of three runs at each size, and the noise of such a median as the runs tell it."""

    values: Array
    noise: float


def measured(truth: Array, noises: Array, generator: np.random.Generator, outlier: float = 1.0) -> Measured:
    """Three runs at each size, with noise in log."""
    logs = np.log(truth) + noises * generator.standard_normal((REPEATS, len(truth)))
    if outlier != 1:
        logs[:, generator.integers(len(truth) - 1)] += np.log(outlier)
    own = float(np.sqrt(MEDIAN_OF_THREE * logs.var(axis=0, ddof=1).mean()))
    return Measured(values=np.exp(np.median(logs, axis=0)), noise=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Draws of one case at one noise, columns are the targets."""

    errors: Array
    """|log(foreseen / true)|."""
    hits: NDArray[np.bool_]
    """Whether the 90 % interval held a new measurement."""
    half_widths: Array


def tally(
    case: Case, condition: Condition, sigma: float, num_draws: int, generator: np.random.Generator
) -> Tally:
    """So many series of one case, each with a law of its own."""
    rows = [_draw(case, condition, sigma, generator) for _ in range(num_draws)]
    errors, hits, widths = (np.array(part) for part in zip(*rows, strict=True))
    return Tally(errors=errors, hits=hits, half_widths=widths)


def _draw(
    case: Case, condition: Condition, sigma: float, generator: np.random.Generator
) -> tuple[Array, NDArray[np.bool_], Array]:
    sizes = condition.sizes
    noises = condition.noises(sigma, len(sizes))
    found = measured(case.truth(sizes), noises, generator, condition.outlier)
    law = fit_law(sizes.tolist(), found.values.tolist(), found.noise, LIBRARIES[case.kind])
    if law is None:
        raise ValueError(f"{len(sizes)} sizes must support a law")
    targets = sizes[-1] * BEYOND
    prediction = predict(law, targets)
    fresh = measured(case.truth(targets), np.full(len(targets), noises[-1]), generator).values
    bounds = intervals(prediction, len(sizes))
    return (
        np.abs(prediction.log_value - np.log(case.truth(targets))),
        np.array([bound.low <= value <= bound.high for bound, value in zip(bounds, fresh, strict=True)]),
        np.array([np.log(bound.high / bound.low) / 2 for bound in bounds]),
    )
