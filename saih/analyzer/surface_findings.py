"""What surfaces over the axes of a sweep say, and whether they foresee its largest corner."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from saih.analyzer.covariates import covariates_of
from saih.analyzer.step_rule import step_medians
from saih.analyzer.surface import Surface, fit_surface, foresee, predict_surface
from saih.domain.interval import Interval
from saih.domain.record import Phase
from saih.domain.surface import SurfaceFinding
from saih.domain.trend import RANKS_AXIS, PointSummary

FEWEST_AXES = 2
_MOST_POINTS = 2000
"""Of larger sweeps every n-th point is fitted: a law of a few coefficients gains nothing from more."""
_WORDS = {
    Phase.COMMUNICATION: "exposed exchange",
    Phase.COMMUNICATION_TOTAL: "all of the exchange",
    Phase.INPUT_PRODUCE: "producing input",
    Phase.INPUT_WAIT: "waiting for input",
}


def find_surfaces(points: Sequence[PointSummary]) -> tuple[SurfaceFinding, ...]:
    """One for each setting of which two axes or more grow over enough points."""
    groups: dict[Hashable, list[PointSummary]] = defaultdict(list)
    for point in points:
        if point.point.placement.degrees.num_ranks > 1:
            continue  # what its ranks exchange inside the step has no law over several axes
        groups[_setting(point)].append(point)
    found = (_find(group) for group in groups.values() if len(growing_axes(group)) >= FEWEST_AXES)
    return tuple(one for one in found if one is not None)


def growing_axes(points: Sequence[PointSummary]) -> tuple[str, ...]:
    """Axes along which the points differ, ranks last."""
    names = [name for name in points[0].axis_sizes if name != RANKS_AXIS] if points else []
    grown = [name for name in names if len({point.axis_sizes.get(name) for point in points}) > 1]
    ranks = {point.point.placement.num_ranks for point in points}
    return (*grown, *((RANKS_AXIS,) if len(ranks) > 1 else ()))


def _setting(point: PointSummary) -> Hashable:
    """All that decides a run but the problem, the number of ranks, the batch and the exchange."""
    own, placement = point.point, point.point.placement
    where = (placement.threads_per_rank, placement.device, placement.binding)
    return (own.workload, own.precision, own.execution, *where, *sorted(point.techniques.items()))


def _find(group: Sequence[PointSummary]) -> SurfaceFinding | None:
    every = -(-len(group) // _MOST_POINTS)
    corner = max(group, key=_extent)
    kept = [point for point in group[::every] if point is not corner]
    surface = fit_surface([*kept, corner])
    if surface is None:
        return None
    expected = _corner(kept, corner)
    said = predict_surface(surface, [covariates_of(point) for point in kept])
    gaps = np.abs(said.log_value - np.log(step_medians(kept)))
    own = corner.point
    placement = own.placement
    threads = f"{placement.threads_per_rank} thread{'' if placement.threads_per_rank == 1 else 's'} per rank"
    return SurfaceFinding(
        axes=growing_axes(group),
        setting=f"{own.run_words}, {threads} ({placement.device})",
        num_points=len(group),
        laws=_laws(surface),
        typical_error=float(np.median(gaps)),
        corner_record_id=corner.record_id,
        corner_measured_ns=corner.step_ns,
        corner_expected_ns=None if isinstance(expected, str) else expected,
        corner_refusal=expected if isinstance(expected, str) else "",
    )


def _corner(kept: Sequence[PointSummary], corner: PointSummary) -> Interval | str:
    """What the law of all other points expects of the largest one, or why it says nothing."""
    without = fit_surface(kept)
    if without is None:
        return "Without the largest point too few are left for a law."
    return foresee(without, covariates_of(corner))


def _laws(surface: Surface) -> dict[str, str]:
    return {_WORDS.get(phase, str(phase)): law.text for phase, law in surface.laws.items()}


def _extent(point: PointSummary) -> tuple[float, str]:
    """How far out a point is: the work of all its ranks and what it moves."""
    own = covariates_of(point)
    return own.flops * own.ranks * max(own.parameters, 1.0), point.record_id
