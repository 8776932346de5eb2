"""The energy of a sample: at one point from what its counters saw, and over the points of a trend."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from saih.analyzer.correlation import dependent_median_interval
from saih.analyzer.fit import Law, fit_law, intervals, predict, term_words
from saih.analyzer.propagation import log_deviation
from saih.analyzer.terms import GROWTH, OWN_WORK
from saih.domain.energy import Energy, counted_energy
from saih.domain.interval import FEWEST_ENCLOSING
from saih.domain.quantity import with_si
from saih.domain.trend import RANKS_AXIS, CurvePoint, EnergyTrend, PointSummary, Trend

FEWEST_POINTS = 3
UNKNOWN_NOISE = 0.05
"""Standard deviation of log(energy) where no point tells its own: a guess on the wide side."""
_CURVE_POINTS = 25


def energy_of(notes: Mapping[str, str], num_steps: int, samples_per_step: int) -> Energy | str:
    """The energy of a point's measured steps, or the reason in words why there is none.

    ``samples_per_step`` counts those of all ranks. The interval is that of the median over blocks, from order
    statistics, and only where there are enough of them.
    """
    counted = counted_energy(notes)
    if isinstance(counted, str):
        return counted
    if sum(counted.block_steps) != num_steps:
        return f"its energy was read over {sum(counted.block_steps)} steps, but {num_steps} were measured"
    each = [
        joules / (steps * samples_per_step)
        for joules, steps in zip(counted.block_joules, counted.block_steps, strict=True)
    ]
    has_interval = len(each) >= FEWEST_ENCLOSING and min(each) > 0
    return Energy(
        joules=counted.joules,
        num_samples=num_steps * samples_per_step,
        num_blocks=len(each),
        joules_per_sample=dependent_median_interval(each) if has_interval else None,
        joules_of=counted.joules_of,
        source=counted.source,
        coverage=counted.coverage,
    )


def energy_trends(trends: Sequence[Trend], points: Sequence[PointSummary]) -> tuple[EnergyTrend, ...]:
    """For each trend the energy of a sample, where at least ``FEWEST_POINTS`` of its points have one."""
    energies = {point.record_id: point.energy for point in points}
    found = [(trend, _known(trend, energies)) for trend in trends]
    return tuple(_trend(trend, known) for trend, known in found if len(known) >= FEWEST_POINTS)


_Known = list[tuple[str, float, Energy]]
"""Record, size and energy of the points of a trend that have one."""


def _known(trend: Trend, energies: Mapping[str, Energy | None]) -> _Known:
    return [
        (record_id, size, energy)
        for record_id, size in zip(trend.record_ids, trend.sizes, strict=True)
        if (energy := energies.get(record_id)) is not None
    ]


def _trend(trend: Trend, known: _Known) -> EnergyTrend:
    record_ids, sizes, energies = zip(*known, strict=True)
    kinds = {energy.parts for energy in energies}
    law = _law(trend.axis, sizes, energies) if len(kinds) == 1 else None
    words = "the points count different parts of their nodes, so no law is fitted"
    return EnergyTrend(
        axis=trend.axis,
        size_label=trend.size_label,
        fixed=trend.fixed,
        parts=energies[0].parts if len(kinds) == 1 else (),
        record_ids=record_ids,
        sizes=sizes,
        energies=energies,
        curve=_curve(law) if law else (),
        law=_words(law) if law else words if len(kinds) > 1 else "all points have one size",
    )


def _law(axis: str, sizes: Sequence[float], energies: Sequence[Energy]) -> Law | None:
    intervals_known = [
        energy.joules_per_sample for energy in energies if energy.joules_per_sample is not None
    ]
    deviations = [log_deviation(interval) for interval in intervals_known]
    noise = math.sqrt(float(np.mean(np.square(deviations)))) if deviations else UNKNOWN_NOISE
    library = OWN_WORK if axis == RANKS_AXIS else GROWTH
    return fit_law(sizes, [energy.best_joules_per_sample for energy in energies], noise, library)


def _curve(law: Law) -> tuple[CurvePoint, ...]:
    """Inside the measured range only: energy is not extrapolated."""
    grid = np.unique(np.concatenate([np.geomspace(law.sizes[0], law.sizes[-1], _CURVE_POINTS), law.sizes]))
    return tuple(
        CurvePoint(size=float(size), interval=interval, is_extrapolated=False)
        for size, interval in zip(grid, intervals(predict(law, grid), len(law.sizes)), strict=True)
    )


def _words(law: Law) -> str:
    """The weightiest law, such as ``12.1 mJ + 3.40 mJ (x / 4096)``."""
    best = law.members[0]
    return " + ".join(
        f"{with_si(factor, 'J')} {term_words(term, best.scale)}".rstrip()
        for factor, term in zip(best.coefficients, best.terms, strict=True)
    )
