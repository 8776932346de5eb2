"""How far two runs of one point differ: from repeats, else from the scatter of ratios, else as assumed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.propagation import log_deviation
from saih.domain.comparison import Noise
from saih.domain.interval import Interval
from saih.domain.quantity import percent
from saih.domain.system import SystemPoint

Array = NDArray[np.float64]

DEFAULT_NOISE = 0.03
"""Standard deviation of log(rate) between runs of one point where nothing tells it: a few percent are usual
on shared machines. Half of its variance is each point's own, half that of the whole run."""
PRIOR_FREEDOM = 4.0
"""How many residuals the assumed noise counts for beside those that were measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanOfRepeats:
    """Repeats of one question on one system, as their mean log(value)."""

    log_value: float
    measuring: float
    """Variance that the intervals inside the runs stand for."""
    repeats: int
    runs: int
    """Distinct runs among the repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Squares of residuals that only noise explains, with their degrees of freedom."""

    squares: float
    freedom: float


def mean_of_repeats(points: Sequence[SystemPoint], values: Sequence[Interval]) -> MeanOfRepeats:
    """The repeats as one value: the mean of their logarithms."""
    return MeanOfRepeats(
        log_value=math.fsum(math.log(value.value) for value in values) / len(values),
        measuring=math.fsum(log_deviation(value) ** 2 for value in values) / len(values) ** 2,
        repeats=len(values),
        runs=len({point.run for point in points}),
    )


def typical_rate(points: Sequence[SystemPoint]) -> float:
    """Mean log(samples/s) of repeats."""
    return math.fsum(math.log(point.samples_per_s.value) for point in points) / len(points)


def given_noise(deviation: float) -> Noise:
    """Noise of this standard deviation of log(rate) between two runs of one point, taken as known."""
    half = deviation / math.sqrt(2)
    return Noise(own=half, shared=half, freedom=math.inf, source=f"{percent(deviation)} as given")


def assumed_noise() -> Noise:
    """Noise where nothing was measured that could tell it."""
    half = DEFAULT_NOISE / math.sqrt(2)
    return Noise(
        own=half,
        shared=half,
        freedom=math.inf,
        source=f"{percent(DEFAULT_NOISE)} assumed: no point was repeated",
    )


def noise_of_repeats(repeats: Sequence[tuple[str, Sequence[SystemPoint]]]) -> Noise | None:
    """Noise by the analysis of variance of repeats; None where nothing was repeated.

    ``repeats`` holds those of each question, with the name of their system. Deviations within a run, or that
    differ from question to question, are the own noise; what moves all questions of a run together is the
    shared one, which stays as assumed where each question was repeated inside one run only. Both systems have
    one noise. The measuring errors inside runs are part of it, and count once more in each ratio: on the safe
    side.
    """
    groups = [(name, group) for name, group in repeats if len(group) > 1]
    if not groups:
        return None
    spread, rows = _deviations(groups)
    inner, outer = _split(spread, rows)
    half = assumed_noise()
    own, freedom = pooled(inner, half.own)
    shared = half.shared
    if outer.freedom > 0:
        each = len(spread) / max(len(np.unique(rows)), 1)
        excess = max(outer.squares - outer.freedom * own**2, 0.0) / each
        shared, shared_freedom = pooled(Scatter(squares=excess, freedom=outer.freedom), half.shared)
        freedom = min(freedom, shared_freedom)
    count = sum(len(group) for _, group in groups)
    basis = f"from {count} measurements of {len(groups)} repeated points"
    total = f"{percent(math.hypot(own, shared))} {basis}"
    source = total if outer.freedom > 0 else _with_assumed_shared(own, basis, shared)
    return Noise(own=own, shared=shared, freedom=freedom, source=source)


def noise_of_ratios(
    log_ratios: Array, measuring: Array, sizes: Mapping[str, Array], around_laws: Scatter | None
) -> Noise:
    """Noise by how far points lie from smooth trends; what is rough by nature adds to it.

    Smooth is a surface of the log ratio over the axes, or the laws of both systems along one axis
    (``around_laws``), whichever leaves less.
    """
    assumed = assumed_noise()
    found = [one for one in (_smooth_residual(log_ratios, sizes), around_laws) if one is not None]
    if not found:
        return assumed
    best = min(found, key=lambda one: one.squares / one.freedom**2)
    explained = float(measuring.mean()) / 2 * best.freedom
    own, freedom = pooled(
        Scatter(squares=max(best.squares - explained, 0.0), freedom=best.freedom), assumed.own
    )
    basis = f"from the scatter of {len(log_ratios)} ratios around a smooth trend"
    source = _with_assumed_shared(own, basis, assumed.shared)
    return Noise(own=own, shared=assumed.shared, freedom=freedom, source=source)


def _with_assumed_shared(own: float, basis: str, shared: float) -> str:
    total = percent(math.hypot(own, shared))
    return f"{total}: {percent(own)} {basis}, and {percent(shared)} assumed for all points of a run together"


def pooled(scatter: Scatter, assumed: float) -> tuple[float, float]:
    """Standard deviation and degrees of freedom of residuals together with what was assumed.

    The assumption counts for the less, the more the residuals exceed it.
    """
    excess = scatter.squares / scatter.freedom / assumed**2 if scatter.freedom else 1.0
    trust = PRIOR_FREEDOM / max(excess, 1.0)
    freedom = trust + scatter.freedom
    return math.sqrt((trust * assumed**2 + scatter.squares) / freedom), freedom


def _deviations(
    groups: Sequence[tuple[str, Sequence[SystemPoint]]],
) -> tuple[list[tuple[float, int]], Array]:
    """Every log(rate) with the number of its question, and the number of its run."""
    runs: dict[tuple[str, str], int] = {}
    values, rows = [], []
    for number, (name, group) in enumerate(groups):
        for point in group:
            values.append((math.log(point.samples_per_s.value), number))
            rows.append(runs.setdefault((name, point.run), len(runs)))
    return values, np.asarray(rows, dtype=np.float64)


def _split(values: Sequence[tuple[float, int]], rows: Array) -> tuple[Scatter, Scatter]:
    """Squares around questions and runs, and what the runs explain of those around questions alone."""
    logs = np.array([value for value, _ in values])
    questions = _indicators(np.array([number for _, number in values]))
    both = np.hstack([questions, _indicators(rows)])
    alone, together = _residual(questions, logs), _residual(both, logs)
    return together, Scatter(
        squares=max(alone.squares - together.squares, 0.0), freedom=alone.freedom - together.freedom
    )


def _indicators(numbers: Array) -> Array:
    return np.asarray(numbers[:, None] == np.unique(numbers)[None, :], dtype=np.float64)


def _residual(design: Array, values: Array) -> Scatter:
    coefficients, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    squares = float(np.sum((values - design @ coefficients) ** 2))
    return Scatter(squares=squares, freedom=float(len(values) - int(rank)))


def _smooth_residual(values: Array, sizes: Mapping[str, Array]) -> Scatter | None:
    """Residual of the surface that cross-validates best.

    Surfaces are a constant, a plane, a paraboloid in log sizes, and a value for each rung of each axis.
    Squares are halved: a ratio holds the noise of two runs.
    """
    logs = [np.log(column) for column in sizes.values() if len(column) and np.ptp(np.log(column)) > 0]
    one = np.ones_like(values)
    centred = [(column - column.mean()) / column.std() for column in logs]
    plane = [one, *centred]
    squares = [a * b for index, a in enumerate(centred) for b in centred[index:]]
    designs = [np.column_stack(columns) for columns in ([one], plane, [*plane, *squares])]
    if len(logs) > 1:
        designs.append(np.hstack([_indicators(column) for column in logs]))
    found = [_residual(design, values) for design in designs]
    usable = [residual for residual in found if residual.freedom >= max(len(values) / 2, 1)]
    best = min(usable, key=lambda residual: residual.squares / residual.freedom**2, default=None)
    return None if best is None else Scatter(squares=best.squares / 2, freedom=best.freedom)
