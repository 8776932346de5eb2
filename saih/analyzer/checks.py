"""Checks that tell how far a trend may be trusted; each passes, fails or stays unknown, in a sentence."""

from saih.analyzer.ceiling_checks import check_ceilings
from saih.analyzer.extrapolation_checks import check_extrapolation
from saih.analyzer.mistaken_unit import NO_LAW_JUMPS, jump
from saih.analyzer.setting_checks import check_settings
from saih.analyzer.trend_scene import TARGET_FACTOR as TARGET_FACTOR  # noqa: PLC0414 - read with the checks
from saih.analyzer.trend_scene import Scene
from saih.domain.quantity import amount, counted, in_seconds
from saih.domain.trend import Check


def check_trend(scene: Scene) -> tuple[Check, ...]:
    """All checks of one trend."""
    found = [_enough(scene), _monotone(scene) if scene.scaling is None else _at_most_ideal(scene)]
    found += _jumps(scene)
    if scene.laws is not None:
        found += check_extrapolation(scene, scene.laws)
        found += check_ceilings(scene, scene.laws)
        found += check_settings(scene, scene.laws)
    return tuple(found)


def _enough(scene: Scene) -> Check:
    count = len(set(scene.sizes))
    name = "enough points"
    if count < 2:
        text = f"{count} size was measured; no law follows from it. Measure at least 4 sizes."
        return Check(name=name, passed=False, statement=text)
    if scene.laws is None:
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
    fall = _fall(scene)
    if fall is not None:
        small, large = (scene.points[place].step_ns.value for place in fall)
        below, above = (scene.sizes[place] for place in fall)
        text = (
            f"The step falls from {in_seconds(small)} at size {amount(below)} to {in_seconds(large)} at size "
            f"{amount(above)}, beyond both intervals: a setting, a cache or another algorithm changed "
            "between them, or one run was disturbed."
        )
        return Check(name=name, passed=False, statement=text)
    if len(scene.points) < 2:
        return Check(name=name, passed=None, statement="One point has no direction.")
    return Check(name=name, passed=True, statement="No larger point is faster beyond its interval.")


def _fall(scene: Scene) -> tuple[int, int] | None:
    """Places of the first point that is surely faster than a smaller one, and of the slowest such one."""
    for place, (point, size) in enumerate(zip(scene.points, scene.sizes, strict=True)):
        smaller = [other for other in range(place) if scene.sizes[other] < size]
        slowest = max(smaller, key=lambda other: scene.points[other].step_ns.low, default=None)
        if slowest is not None and point.step_ns.high < scene.points[slowest].step_ns.low:
            return slowest, place
    return None


def _jumps(scene: Scene) -> tuple[Check, ...]:
    """Where steps of a line change by a thousand; told only then, as records tell ns."""
    steps_ns = [point.step_ns.value for point in scene.points]
    place = jump(scene.sizes, steps_ns)
    if place is None:
        return ()
    small, large = (in_seconds(steps_ns[one]) for one in (place, place + 1))
    below, above = (amount(scene.sizes[one]) for one in (place, place + 1))
    text = f"Between sizes {below} and {above} the step goes from {small} to {large}: {NO_LAW_JUMPS}"
    return (Check(name="one unit", passed=False, statement=text),)


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
