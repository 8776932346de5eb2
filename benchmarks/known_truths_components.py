"""Made-up steps whose phases follow known laws: the step foreseen from its phases, and where parts cross."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_truths_series import (
    BEYOND,
    MEDIAN_OF_THREE,
    REPEATS,
    Condition,
    Tally,
    smooth_maximum,
)
from benchmarks.synthetic_sweep import Size, synthetic_analysis
from saih.analyzer.fit import intervals
from saih.analyzer.recombination import PROBLEM_GROWS, Composition, Family, compose, predict_step
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK
from saih.domain.interval import Interval
from saih.domain.record import Phase
from saih.domain.trend import PointSummary

Array = NDArray[np.float64]
Phases = Mapping[Phase, Array]
Truth = Callable[[Array], Array]

NS = 1e8
"""One unit of the truths, in ns."""
STRONG = Family(whole=SHARED_WORK, work=SHARED_WORK, exchange=EXCHANGE, exchange_begins=2.0)
WEAK = Family(whole=OWN_WORK, work=OWN_WORK, exchange=EXCHANGE, exchange_begins=2.0)
COMMON = 0.5
"""Share of the variance of log(phase) that all phases of a run have in common: a run is fast or slow."""
_LEVEL_DEVIATION = 1.6449


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A case: laws of what is measured by itself, and how it makes a step."""

    name: str
    family: Family
    truths: Mapping[Phase, Truth]
    rule: Callable[[Phases], Phases]
    """From what is measured by itself to all phases of a step."""
    smallest: float = 1.0
    overtakes: tuple[Truth, Truth] | None = None
    """Parts of which the second is longer from some size on: both their laws."""


def _as_measured(parts: Phases) -> Phases:
    return parts


def _produced_ahead(parts: Phases) -> Phases:
    work, produce = parts[Phase.FORWARD], parts[Phase.INPUT_PRODUCE]
    return {**parts, Phase.INPUT_WAIT: smooth_maximum(work, produce) - work}


def _hidden_exchange(parts: Phases) -> Phases:
    total, backward = parts[Phase.COMMUNICATION_TOTAL], parts[Phase.BACKWARD]
    return {**parts, Phase.COMMUNICATION: np.maximum(total - backward, 0.0)}


FROM_TWO = 2.0
"""Ranks from which on there is an exchange."""
CASES = (
    Parts(
        name="0.2 + 40/p, and 0.02 p",
        family=STRONG,
        truths={Phase.FORWARD: lambda p: 0.2 + 40 / p, Phase.COMMUNICATION: lambda p: 0.02 * p},
        rule=_as_measured,
        smallest=FROM_TWO,
        overtakes=(lambda p: 0.2 + 40 / p, lambda p: 0.02 * p),
    ),
    Parts(
        name="max(40/p, 0.9 of input)",
        family=STRONG,
        truths={Phase.FORWARD: lambda p: 40 / p, Phase.INPUT_PRODUCE: lambda p: 0.9 + 0 * p},
        rule=_produced_ahead,
        overtakes=(lambda p: 40 / p, lambda p: 0.9 + 0 * p),
    ),
    Parts(
        name="max(3, 0.12 n of input)",
        family=PROBLEM_GROWS,
        truths={Phase.FORWARD: lambda n: 3 + 0 * n, Phase.INPUT_PRODUCE: lambda n: 0.12 * n},
        rule=_produced_ahead,
        overtakes=(lambda n: 3 + 0 * n, lambda n: 0.12 * n),
    ),
    Parts(
        name="40/p, and a ring hidden behind 0.66",
        family=STRONG,
        truths={
            Phase.FORWARD: lambda p: 0.34 * 40 / p,
            Phase.BACKWARD: lambda p: 0.66 * 40 / p,
            Phase.COMMUNICATION_TOTAL: lambda p: 0.05 + 0.6 * (p - 1) / p + 0.004 * p,
        },
        rule=_hidden_exchange,
        smallest=FROM_TWO,
    ),
)

OFF_LIBRARY = (
    Parts(
        name="0.2 + 40/p^0.9, and 0.05 + 0.02 p^0.8",
        family=STRONG,
        truths={
            Phase.FORWARD: lambda p: 0.2 + 40 / p**0.9,
            Phase.COMMUNICATION: lambda p: 0.05 + 0.02 * p**0.8,
        },
        rule=_as_measured,
        smallest=FROM_TWO,
    ),
    Parts(
        name="1 + n^1.15, and 0.5 + 0.2 n^0.4",
        family=PROBLEM_GROWS,
        truths={Phase.FORWARD: lambda n: 1 + n**1.15, Phase.OPTIMIZER: lambda n: 0.5 + 0.2 * n**0.4},
        rule=_as_measured,
    ),
    Parts(
        name="3, and a tree 0.1 + 0.2 log2 p",
        family=WEAK,
        truths={Phase.FORWARD: lambda p: 3 + 0 * p, Phase.COMMUNICATION: lambda p: 0.1 + 0.2 * np.log2(p)},
        rule=_as_measured,
        smallest=FROM_TWO,
    ),
    Parts(
        name="3, and contention 0.1 + 0.003 p^1.5",
        family=WEAK,
        truths={Phase.FORWARD: lambda p: 3 + 0 * p, Phase.COMMUNICATION: lambda p: 0.1 + 0.003 * p**1.5},
        rule=_as_measured,
        smallest=FROM_TWO,
    ),
)
"""Parts of other forms than those of the laws, for the coverage of the intervals."""


@cache
def _template() -> PointSummary:
    return synthetic_analysis(Size(data=1, model=1, ranks=1)).points[0]


def _step(phases: Phases) -> Array:
    hidden = (Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL)
    return np.asarray(sum(values for phase, values in phases.items() if phase not in hidden))


def _runs(case: Parts, sizes: Array, noises: Array, generator: np.random.Generator) -> Phases:
    """All phases of three runs at each size, ``[run, size]``."""
    shape = (REPEATS, len(sizes))
    common = generator.standard_normal(shape)

    def noise() -> Array:
        own = generator.standard_normal(shape)
        return np.exp(noises * (np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * own))

    return case.rule({phase: truth(sizes) * noise() for phase, truth in case.truths.items()})


def composed(
    case: Parts, condition: Condition, sigma: float, generator: np.random.Generator
) -> tuple[Composition, Array]:
    """Laws of the phases of one sweep, and its sizes."""
    sizes = case.smallest * condition.sizes
    runs = dict(_runs(case, sizes, condition.noises(sigma, len(sizes)), generator))
    slow = generator.integers(len(sizes) - 1)
    for values in runs.values():
        values[:, slow] *= condition.outlier
    whole = _intervals(_step(runs))
    phases = {phase: _intervals(values) for phase, values in runs.items()}
    points = [
        replace(
            _template(),
            step_ns=whole[place],
            phases_ns={
                **dict.fromkeys(_template().phases_ns, _nothing()),
                **{phase: found[place] for phase, found in phases.items()},
            },
        )
        for place in range(len(sizes))
    ]
    composition = compose(points, sizes.tolist(), case.family)
    if composition is None:
        raise ValueError(f"{case.name}: {len(sizes)} sizes must support laws of the phases")
    return composition, sizes


def _nothing() -> Interval:
    return Interval(low=0.0, value=0.0, high=0.0, level=0.90, count=REPEATS)


def _intervals(runs: Array) -> list[Interval]:
    """Medians of the runs with the interval that their pooled noise means."""
    shown = runs > 0
    logs = np.log(np.where(shown, runs, 1.0))
    noise = float(np.sqrt(MEDIAN_OF_THREE * logs.var(axis=0, ddof=1).mean()))
    reach = np.exp(_LEVEL_DEVIATION * noise)
    return [
        Interval(low=NS * value / reach, value=NS * value, high=NS * value * reach, level=0.90, count=REPEATS)
        for value in np.median(runs, axis=0).tolist()
    ]


def tally(
    case: Parts, condition: Condition, sigma: float, num_draws: int, generator: np.random.Generator
) -> Tally:
    """So many sweeps of one case, their steps foreseen from their phases."""
    targets = case.smallest * condition.sizes[-1] * BEYOND
    exact = case.rule({phase: truth(targets) for phase, truth in case.truths.items()})
    true = np.log(NS * _step(exact))
    noises = np.full(len(targets), condition.noises(sigma, condition.num_sizes)[-1])
    errors, hits, widths = [], [], []
    for _ in range(num_draws):
        composition, sizes = composed(case, condition, sigma, generator)
        prediction = predict_step(composition, targets)
        fresh = NS * np.median(_step(_runs(case, targets, noises, generator)), axis=0)
        bounds = intervals(prediction, len(sizes))
        errors.append(np.abs(prediction.log_value - true))
        hits.append([one.low <= value <= one.high for one, value in zip(bounds, fresh, strict=True)])
        widths.append([np.log(one.high / one.low) / 2 for one in bounds])
    return Tally(errors=np.array(errors), hits=np.array(hits), half_widths=np.array(widths))
