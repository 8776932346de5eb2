"""Laws over products of axes: one for each phase over all points of a sweep, put together to a step.

Lines say what happens along one axis while everything else is fixed. A surface says what happens where
several grow together, from what a step costs by arithmetic: FLOPs, bytes, parameters, gradient bytes, ranks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.covariates import NAMES, WORDS, Covariates, covariates_of, table
from saih.analyzer.fit import GREATEST_FACTOR, Prediction, intervals
from saih.analyzer.recombination import LEAST_SHARE, LEAST_VALUE
from saih.analyzer.step_rule import (
    EXCHANGES,
    LEAST_RUN_NOISE,
    Rule,
    find_rule,
    medians,
    parts_of,
    pooled_noise,
    recombine,
    step_medians,
)
from saih.analyzer.surface_law import SurfaceLaw, fit_surface_law, predict_surface_law
from saih.domain.interval import Interval
from saih.domain.quantity import amount
from saih.domain.record import ADDITIVE_PHASES, HIDDEN_PHASES, Phase
from saih.domain.trend import PointSummary

Array = NDArray[np.float64]

FEWEST_POINTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Laws of the phases over all points of one setting, and the rule by which they make a step."""

    laws: Mapping[Phase, SurfaceLaw]
    rule: Rule
    least: Array
    """Smallest positive value of each covariate, ``[covariate]``; NaN where all are 0."""
    most: Array


def fit_surface(points: Sequence[PointSummary]) -> Surface | None:
    """The surface of points of one setting; None for fewer than ``FEWEST_POINTS`` different ones."""
    if len(points) < FEWEST_POINTS:
        return None
    covariates = table([covariates_of(point) for point in points])
    if len(np.unique(covariates, axis=0)) < FEWEST_POINTS:
        return None
    laws = {
        phase: law
        for phase in (*ADDITIVE_PHASES, *HIDDEN_PHASES)
        if (law := _phase_law(points, covariates, phase)) is not None
    }
    exchanging = [point for point in points if point.gradient_bytes]
    positive = np.where(covariates > 0, covariates, np.nan)
    known = ~np.isnan(positive).all(axis=0)
    least, most = np.full(len(NAMES), np.nan), np.full(len(NAMES), np.nan)
    least[known], most[known] = np.nanmin(positive[:, known], axis=0), np.nanmax(positive[:, known], axis=0)
    rule = find_rule(points, exchanging, laws)
    if rule.num_loaders:  # nobody waits but where production is longer than work
        laws.pop(Phase.INPUT_WAIT, None)
    return Surface(laws=laws, rule=rule, least=least, most=most)


def foresee(surface: Surface, problem: Covariates) -> Interval | str:
    """The step [ns] of a problem that nobody measured, or why no number is given.

    The interval is a 90 % prediction interval. Each covariate may be up to ``GREATEST_FACTOR`` times as
    large or as small as those of the measured points.
    """
    refusal = _refusal(surface, problem)
    if refusal:
        return refusal
    return intervals(predict_surface(surface, [problem]), surface.rule.num_points)[0]


def predict_surface(surface: Surface, problems: Sequence[Covariates]) -> Prediction:
    """The steps of these problems; no check of the supported range."""
    covariates = table(problems)
    doublings = _doublings_beyond(surface, covariates)
    foreseen = {
        phase: predict_surface_law(law, covariates, doublings)
        for phase, law in surface.laws.items()
        if phase not in surface.rule.hidden
    }
    return recombine(surface.rule, parts_of(surface.rule, foreseen))


def _refusal(surface: Surface, problem: Covariates) -> str:
    for name, value, least, most in zip(NAMES, table([problem])[0], surface.least, surface.most, strict=True):
        if value <= 0:
            continue
        if np.isnan(most):
            return f"No measured point has any {WORDS[name]}; measure one that has."
        if value > GREATEST_FACTOR * most * (1 + 1e-9) or value * GREATEST_FACTOR < least * (1 - 1e-9):
            end = most if value > most else least
            return (
                f"{amount(value)} {WORDS[name]} is more than a factor of {GREATEST_FACTOR:g} away from what "
                f"was measured ({amount(least)} to {amount(most)}); measure a point nearer to it, such as "
                f"{amount(float(np.sqrt(value * end)))}."
            )
    return ""


def _doublings_beyond(surface: Surface, covariates: Array) -> Array:
    """How far outside the measured range each point is, by its farthest covariate."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above, below = np.log2(covariates / surface.most), np.log2(surface.least / covariates)
    both = np.where(covariates > 0, np.maximum(above, below), 0.0)
    return np.asarray(np.maximum(np.nan_to_num(both, nan=0.0), 0.0).max(axis=1), dtype=np.float64)


def _phase_law(points: Sequence[PointSummary], covariates: Array, phase: Phase) -> SurfaceLaw | None:
    if any(phase not in point.phases_ns for point in points):
        return None
    steps, values = step_medians(points), medians(points, phase)
    if phase in EXCHANGES:
        begun = covariates[:, NAMES.index("gradient")] > 0
        if begun.sum() < FEWEST_POINTS // 2:
            return None
        points = [point for point, exchanges in zip(points, begun, strict=True) if exchanges]
        steps, values, covariates = steps[begun], values[begun], covariates[begun]
    if np.all(values < LEAST_SHARE * steps):
        return None
    noise = max(pooled_noise([point.phases_ns[phase] for point in points]), LEAST_RUN_NOISE)
    return fit_surface_law(phase, covariates, np.maximum(values, LEAST_VALUE * steps), noise)
