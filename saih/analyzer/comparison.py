"""Two or more systems side by side, on points that ask the same and on nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from saih.analyzer.comparison_course import Course, courses, sizes_of, varied_sizes
from saih.analyzer.comparison_curve import Measured, ratio_curve
from saih.analyzer.comparison_decision import holm
from saih.analyzer.comparison_differences import point_differences, system_differences
from saih.analyzer.comparison_growth import Slope, slope
from saih.analyzer.comparison_laws import law_scatter
from saih.analyzer.comparison_matching import Match, Matches, match, near_misses, words_of
from saih.analyzer.comparison_noise import given_noise, mean_of_repeats, noise_of_ratios, noise_of_repeats
from saih.analyzer.comparison_ratio import LEVEL, LogRatio, combined, log_ratio
from saih.analyzer.comparison_views import view_means, view_ratio
from saih.domain.comparison import (
    Comparison,
    ExponentPair,
    MatchedPoint,
    Matching,
    Noise,
    Pair,
    RatioCurve,
    View,
)
from saih.domain.errors import UsageError
from saih.domain.interval import Interval
from saih.domain.system import System, SystemPoint
from saih.domain.trend import RANKS_AXIS

ALPHA = 1 - LEVEL


def compare(
    systems: Sequence[System], *, matching: Matching = Matching.PLACEMENT, noise: float | None = None
) -> Comparison:
    """Each system against each later one on the points that both have.

    ``noise`` is the standard deviation of log(rate) between two runs of one point, where it is known; else
    it is estimated from repeats, or from the scatter of the ratios together with what is usual. Everything
    that is called different shares one error rate of 5 %: two equal systems are called different anywhere
    in at most 5 % of comparisons. Systems without a common point give a pair that lists what each has.

    Raises:
        UsageError: for fewer than two systems, or two of one name.
    """
    names = [system.name for system in systems]
    if len(systems) < 2 or len(set(names)) < len(names):
        raise UsageError(
            f"there is nothing to compare in {names}", "give two or more systems with names of their own."
        )
    drafts = [_draft(a, b, matching, noise) for a, b in combinations(systems, 2)]
    corrected = holm([p_value for draft in drafts for p_value in draft.p_values])
    pairs, begin = [], 0
    for draft in drafts:
        end = begin + len(draft.p_values)
        pairs.append(_pair(draft, corrected[begin:end]))
        begin = end
    return Comparison(
        systems=tuple(systems),
        matching=matching,
        pairs=tuple(pairs),
        level=LEVEL,
        num_tests=len(corrected),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    a: Slope
    b: Slope
    difference: Slope


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A pair before it is decided what is different."""

    a: System
    b: System
    matching: Matching
    matches: Matches
    noise: Noise
    ratios: tuple[dict[View, LogRatio], ...]
    means: dict[View, LogRatio]
    courses: tuple[Course, ...]
    growths: tuple[_Growth | None, ...]

    @property
    def questions(self) -> tuple[LogRatio, ...]:
        """The means that differ: on equal numbers of nodes, per system and per node is one question."""
        return tuple(dict.fromkeys(self.means.values()))

    @property
    def p_values(self) -> tuple[float, ...]:
        """Of the points, of the means, and of the exponents, in this order."""
        return (
            *(one[View.SYSTEM].p_value for one in self.ratios),
            *(mean.p_value for mean in self.questions),
            *(growth.difference.p_value for growth in self.growths if growth is not None),
        )


def _draft(a: System, b: System, matching: Matching, noise: float | None) -> _Draft:
    matches = match(a, b, matching)
    rows = courses(matches.matched, a, b, matching)
    found = given_noise(noise) if noise is not None else _noise(matches.matched, (a, b), matching, rows)
    ratios = tuple(_views(one, found, (a, b)) for one in matches.matched)
    return _Draft(
        a=a,
        b=b,
        matching=matching,
        matches=matches,
        noise=found,
        ratios=ratios,
        means=view_means(ratios),
        courses=rows,
        growths=tuple(_growth(row, matches.matched, ratios, found) for row in rows),
    )


def _noise(
    matched: Sequence[Match], sides: tuple[System, System], matching: Matching, rows: Sequence[Course]
) -> Noise:
    names = [side.name for side in sides]
    repeats = [(name, points) for one in matched for name, points in zip(names, (one.a, one.b), strict=True)]
    found = noise_of_repeats(repeats)
    if found is not None:
        return found
    unknown = Noise(own=0.0, shared=0.0, freedom=1.0, source="")
    ratios = [_views(one, unknown, sides)[View.SYSTEM] for one in matched]
    return noise_of_ratios(
        np.array([ratio.value for ratio in ratios]),
        np.array([ratio.measuring for ratio in ratios]),
        {axis: np.array(sizes) for axis, sizes in varied_sizes(matched, matching).items()},
        law_scatter(rows, matched),
    )


def _views(one: Match, noise: Noise, sides: tuple[System, System]) -> dict[View, LogRatio]:
    prices = tuple(side.price for side in sides)
    found = {view: log_ratio(one, view, noise, prices) for view in View}
    return {view: ratio for view, ratio in found.items() if ratio is not None}


def _growth(
    course: Course, matched: Sequence[Match], ratios: Sequence[dict[View, LogRatio]], noise: Noise
) -> _Growth | None:
    """Exponents of both rates, and their difference from the ratios, where what both share has gone."""
    row = [ratios[place][View.SYSTEM] for place in course.places]
    logs = np.array([one.value for one in row])
    variances = np.array([one.measuring + one.own for one in row])
    difference = slope(course.sizes, logs, variances, noise.freedom)
    a = _own_growth(course, [matched[place].a for place in course.places], noise)
    b = _own_growth(course, [matched[place].b for place in course.places], noise)
    if a is None or b is None or difference is None:
        return None
    return _Growth(a=a, b=b, difference=difference)


def _own_growth(course: Course, repeats: Sequence[Sequence[SystemPoint]], noise: Noise) -> Slope | None:
    means = [mean_of_repeats(points, [point.samples_per_s for point in points]) for points in repeats]
    logs = np.array([mean.log_value for mean in means])
    variances = np.array([mean.measuring + noise.own**2 / mean.repeats for mean in means])
    return slope(course.sizes, logs, variances, noise.freedom)


def _pair(draft: _Draft, p_values: Sequence[float]) -> Pair:
    num_points, num_means = len(draft.ratios), len(draft.questions)
    of_points = p_values[:num_points]
    of_questions = dict(zip(draft.questions, p_values[num_points : num_points + num_means], strict=True))
    of_means = {view: of_questions[mean] for view, mean in draft.means.items()}
    sides = draft.a, draft.b
    return Pair(
        name_a=draft.a.name,
        name_b=draft.b.name,
        matched=tuple(
            _matched(one, ratios, p_value, draft)
            for one, ratios, p_value in zip(draft.matches.matched, draft.ratios, of_points, strict=True)
        ),
        only_a=tuple(words_of(point) for point in draft.matches.only_a),
        only_b=tuple(words_of(point) for point in draft.matches.only_b),
        near_misses=near_misses(draft.matches, draft.a.name, draft.b.name),
        differences=system_differences(draft.a, draft.b),
        views=tuple(
            view_ratio(view, draft.means.get(view), of_means.get(view, 1.0), draft.matches.matched, sides)
            for view in View
        ),
        curves=_curves(draft, of_points, p_values[num_points + num_means :]),
        noise=draft.noise,
    )


def _curves(
    draft: _Draft, of_points: Sequence[float], of_exponents: Sequence[float]
) -> tuple[RatioCurve, ...]:
    decided = iter(of_exponents)
    curves = []
    for course, growth in zip(draft.courses, draft.growths, strict=True):
        exponents = _exponents(growth, next(decided)) if growth is not None else None
        measured = Measured(
            course=course,
            matches=tuple(draft.matches.matched[place] for place in course.places),
            ratios=tuple(draft.ratios[place][View.SYSTEM] for place in course.places),
            is_different=tuple(of_points[place] < ALPHA for place in course.places),
            names=(draft.a.name, draft.b.name),
        )
        curves.append(ratio_curve(measured, exponents))
    return tuple(curves)


def _exponents(growth: _Growth, p_value: float) -> ExponentPair:
    return ExponentPair(
        a=growth.a.interval,
        b=growth.b.interval,
        difference=growth.difference.interval,
        p_value=p_value,
        is_different=p_value < ALPHA,
    )


def _matched(one: Match, ratios: dict[View, LogRatio], p_value: float, draft: _Draft) -> MatchedPoint:
    point = one.a[0]
    labels = {axis: label for axis, label in point.labels.items() if axis != RANKS_AXIS}
    return MatchedPoint(
        key=one.key,
        labels={**labels, **({"placement": point.placement_label} if point.placement_label else {})},
        axis_sizes=sizes_of(one, draft.matching),
        records_a=tuple(found.record_id for found in one.a),
        records_b=tuple(found.record_id for found in one.b),
        rate_a=combined(one.a, [found.samples_per_s for found in one.a]),
        rate_b=combined(one.b, [found.samples_per_s for found in one.b]),
        step_a_ns=_together(one.a, "step_ns"),
        step_b_ns=_together(one.b, "step_ns"),
        share_a=_together(one.a, "share_of_peak"),
        share_b=_together(one.b, "share_of_peak"),
        ratios={view: ratio.interval for view, ratio in ratios.items()},
        differs=point_differences(one, draft.a, draft.b),
        p_value=p_value,
        is_different=p_value < ALPHA,
    )


def _together(points: Sequence[SystemPoint], field: str) -> Interval | None:
    values: list[Interval | None] = [getattr(point, field) for point in points]
    known = [value for value in values if value is not None and value.low > 0]
    return combined(points, known) if len(known) == len(points) else None
