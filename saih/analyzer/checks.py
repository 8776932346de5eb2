"""Checks that tell how far a trend may be trusted; each passes, fails or stays unknown, in a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saih.analyzer.fit import GREATEST_FACTOR, PREDICTION_LEVEL, Law, intervals, predict
from saih.analyzer.recombination import (
    PROBLEM_GROWS,
    Composition,
    Family,
    compose,
    predict_parts,
    predict_step,
    sum_of,
)
from saih.domain.quantity import amount, counted, in_seconds, percent
from saih.domain.scaling import Scaling
from saih.domain.trend import Check, CurvePoint, PointSummary

TARGET_FACTOR = 2.0
"""How far beyond the largest measured size the curves are drawn and the laws are held to account."""
GREATEST_DIVERGENCE = 1.5
"""Largest ratio between two members at the target before the law counts as not identified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The points of one trend by growing size, and the laws that were fitted to them."""

    points: Sequence[PointSummary]
    sizes: Sequence[float]
    total: Law | None
    composition: Composition | None
    share_curve: Sequence[CurvePoint]
    family: Family = PROBLEM_GROWS
    scaling: Scaling | None = None
    """What stays along the axis of ranks; None on axes along which the problem grows."""
    greatest: float = math.inf
    """Largest size that can exist."""

    @property
    def target(self) -> float:
        """Size up to which the laws are held to account."""
        return max(min(TARGET_FACTOR * self.sizes[-1], self.greatest), self.sizes[-1])

    def at(self, size: float) -> str:
        """``size 4.1 k``, or ``4096 ranks``."""
        return f"size {amount(size)}" if self.scaling is None else counted(round(size), "rank")


def check_trend(scene: Scene) -> tuple[Check, ...]:
    """All checks of one trend."""
    found = [_enough(scene), _monotone(scene) if scene.scaling is None else _at_most_ideal(scene)]
    if scene.total is not None and scene.composition is not None:
        found += [
            _held_out(scene),
            _factor(scene),
            _divergence(scene, scene.total),
            _cross_check(scene, scene.total, scene.composition),
            _ceiling(scene) if scene.scaling is None else _ceilings_of_placements(scene),
            _crossing(scene, scene.composition),
        ]
    return tuple(found)


def _enough(scene: Scene) -> Check:
    count = len(set(scene.sizes))
    name = "enough points"
    if count < 2:
        text = f"{count} size was measured; no law follows from it. Measure at least 4 sizes."
        return Check(name=name, passed=False, statement=text)
    if scene.composition is None:
        text = (
            f"{count} sizes were measured, but only one of them exchanges anything; no law of the exchange "
            "follows from it. Measure more ranks."
        )
        return Check(name=name, passed=False, statement=text)
    repeated = len(scene.sizes) - count
    shared = f" {repeated} of the points share a size with another." if repeated else ""
    if count < 4:
        text = (
            f"{count} sizes were measured: too few to test a law by forward chaining, so a few plain laws "
            f"share the weight and the interval is wide.{shared}"
        )
        return Check(name=name, passed=None, statement=text)
    text = f"{count} sizes were measured; laws were chosen by forward chaining.{shared}"
    return Check(name=name, passed=True, statement=text)


def _monotone(scene: Scene) -> Check:
    name = "step grows with size"
    pairs = zip(scene.points[:-1], scene.points[1:], scene.sizes[:-1], scene.sizes[1:], strict=True)
    for small, large, below, above in pairs:
        if above > below and large.step_ns.high < small.step_ns.low:
            text = (
                f"The step falls from {in_seconds(small.step_ns.value)} at size {amount(below)} to "
                f"{in_seconds(large.step_ns.value)} at size {amount(above)}, beyond both intervals: "
                "a setting, a cache or another algorithm changed between them, or one run was disturbed."
            )
            return Check(name=name, passed=False, statement=text)
    if len(scene.points) < 2:
        return Check(name=name, passed=None, statement="One point has no direction.")
    return Check(name=name, passed=True, statement="No larger point is faster beyond its interval.")


def _at_most_ideal(scene: Scene) -> Check:
    """More ranks cannot make a sample cheaper in rank-time, unless something else changed with them."""
    name = "speed-up at most ideal"
    cheapest = scene.points[0]
    for point in scene.points[1:]:
        few, many = (one.point.placement.num_ranks for one in (cheapest, point))
        gain = point.samples_per_s.low / cheapest.samples_per_s.high
        if gain > many / few:
            text = (
                f"From {counted(few, 'rank')} to {many} throughput grows more than {gain:.3g} times, beyond "
                f"the ideal {many / few:.3g}: smaller parts fit a cache, or the run with fewer was disturbed."
            )
            return Check(name=name, passed=False, statement=text)
    if len(scene.points) < 2:
        return Check(name=name, passed=None, statement="One point has no direction.")
    return Check(
        name=name, passed=True, statement="No number of ranks is faster than ideal beyond intervals."
    )


def _ceilings_of_placements(scene: Scene) -> Check:
    """Each placement against its own ceilings."""
    name = "below the measured peak"
    known = [point for point in scene.points if point.share_of_peak is not None]
    if not known:
        text = "No ceiling was measured for these placements and this precision."
        return Check(name=name, passed=None, statement=text)
    above = [point for point in known if point.share_of_peak is not None and point.share_of_peak.low > 1]
    if above:
        text = (
            f"At {above[0].point.placement.label} the step runs above that placement's peak, which cannot be."
        )
        return Check(name=name, passed=False, statement=text)
    missing = len(scene.points) - len(known)
    if missing:
        text = f"{missing} of {len(scene.points)} placements have no ceiling of their own."
        return Check(name=name, passed=None, statement=text)
    text = "Every placement stays below its own ceiling; beyond the measured ones no share can be given."
    return Check(name=name, passed=True, statement=text)


def _held_out(scene: Scene) -> Check:
    name = "largest point held out"
    largest = scene.sizes[-1]
    kept = [index for index, size in enumerate(scene.sizes) if size < largest]
    earlier = [scene.sizes[index] for index in kept]
    composition = compose([scene.points[index] for index in kept], earlier, scene.family)
    if composition is None or largest > GREATEST_FACTOR * earlier[-1]:
        text = f"Without the largest point ({scene.at(largest)}) nothing reaches it; the law is untested."
        return Check(name=name, passed=None, statement=text)
    expected = intervals(predict_step(composition, np.array([largest])), len(kept))[0]
    measured = scene.points[-1].step_ns.value
    passed = expected.low <= measured <= expected.high
    text = (
        f"From the smaller points the step at {scene.at(largest)} was expected "
        f"between {in_seconds(expected.low)} and {in_seconds(expected.high)} ({percent(PREDICTION_LEVEL)}); "
        f"it took {in_seconds(measured)}."
    )
    return Check(name=name, passed=passed, statement=text)


def _factor(scene: Scene) -> Check:
    reached = scene.target / scene.sizes[-1]
    text = (
        f"The curve ends at {reached:.3g} times the largest measured size. Up to 4 times calls for "
        f"caution, up to {GREATEST_FACTOR:g} times is speculation, and beyond that only the law is given."
    )
    if scene.target == scene.greatest:
        text = (
            f"The curve ends at {scene.at(scene.target)}: more ranks than the global batch has samples "
            "would have nothing to do."
        )
    return Check(name="extrapolation factor", passed=True, statement=text)


def _divergence(scene: Scene, total: Law) -> Check:
    name = "laws agree"
    target = np.array([scene.target])
    heard = total.members[: max(int(np.sum(total.weights >= 0.05)), 1)]
    values = [float(member.at(target)[0]) for member in heard]
    ratio = max(values) / min(values)
    if ratio > GREATEST_DIVERGENCE:
        text = (
            f"Laws that fit about equally well differ by a factor of {ratio:.2f} at "
            f"{scene.at(target[0])}, so the points do not settle the law. Measure {scene.at(target[0])} next."
        )
        return Check(name=name, passed=False, statement=text)
    text = f"Laws that fit about equally well differ by a factor of {ratio:.2f} at {scene.at(target[0])}."
    return Check(name=name, passed=True, statement=text)


def _cross_check(scene: Scene, total: Law, composition: Composition) -> Check:
    """The step from its phases against the law of whole steps, which cannot foresee a change of regime."""
    name = "phases and whole step agree"
    target = np.array([scene.target])
    whole = intervals(predict(total, target), len(total.sizes))[0]
    composed = intervals(predict_step(composition, target), composition.num_points)[0]
    passed = whole.low <= composed.value <= whole.high or composed.low <= whole.value <= composed.high
    text = (
        f"At {scene.at(target[0])} the phases sum to {in_seconds(composed.value)}, "
        f"the law of whole steps gives {in_seconds(whole.value)}"
    )
    if not passed:
        text += "; another phase takes over beyond the measured range, trust the phases"
    return Check(name=name, passed=passed, statement=f"{text}.")


def _ceiling(scene: Scene) -> Check:
    name = "below the measured peak"
    if not scene.share_curve:
        text = "No ceiling was measured for this placement and precision."
        return Check(name=name, passed=None, statement=text)
    measured = [point.share_of_peak for point in scene.points if point.share_of_peak is not None]
    worst = max([share.low for share in measured] + [point.interval.low for point in scene.share_curve])
    if worst > 1:
        text = f"The step would run at {percent(worst)} or more of the measured peak, which cannot be."
        return Check(name=name, passed=False, statement=text)
    expected = scene.share_curve[-1].interval
    text = (
        f"At size {amount(scene.share_curve[-1].size)} the step is expected at {percent(expected.low, 3)} to "
        f"{percent(expected.high, 3)} of the measured peak."
    )
    return Check(name=name, passed=True, statement=text)


def _crossing(scene: Scene, composition: Composition) -> Check:
    """Where the production of input overtakes the work, up to the greatest factor."""
    name = "input keeps up"
    largest = scene.sizes[-1]
    grid = np.geomspace(scene.sizes[0], min(GREATEST_FACTOR * largest, max(scene.greatest, largest)), 200)
    parts = predict_parts(composition, grid)
    if parts.produce is None:
        text = "The time to produce input was not recorded, or does not explain the waiting for it."
        return Check(name=name, passed=None, statement=text)
    work = parts.compute if parts.exchange is None else sum_of([parts.compute, parts.exchange])
    behind = np.flatnonzero(parts.produce.log_value > work.log_value)
    if len(behind) == 0:
        text = f"Producing a batch stays faster than the work on it up to {scene.at(grid[-1])}."
        return Check(name=name, passed=True, statement=text)
    text = f"Producing a batch takes longer than the work on it from about {scene.at(grid[behind[0]])} on."
    return Check(name=name, passed=bool(grid[behind[0]] > TARGET_FACTOR * largest), statement=text)
