"""Whether the points of a trend may be joined at all: same settings, and a machine that did not change."""

import numpy as np

from saih.analyzer.drift import FEWEST_POINTS, LEVEL, find_drift
from saih.analyzer.regime import changes_of_setting, is_harmless
from saih.analyzer.trend_scene import Laws, Scene
from saih.domain.quantity import percent
from saih.domain.trend import Check

_MOST_NAMED = 3


def check_settings(scene: Scene, laws: Laws) -> list[Check]:
    """Same regime, and drift."""
    return [_same_regime(scene), _drift(scene, laws)]


def _same_regime(scene: Scene) -> Check:
    """Batch, precision, exchange and threads are the same on a line by how lines are made."""
    name = "same settings"
    changes = changes_of_setting(scene.points, scene.ceilings)
    if not changes:
        text = "Nothing that records tell of the settings changes along the axis."
        return Check(name=name, passed=True, statement=text)
    sizes = [scene.at(size) for size in scene.sizes]
    told = [
        f"{setting} ({before} at {sizes[place]}, {after} at {sizes[place + 1]})"
        for setting, place, before, after in changes[:_MOST_NAMED]
    ]
    text = (
        f"Along the axis {', '.join(told)} changes; a law through both sides joins two regimes. "
        "The points above the last change count most for what lies beyond."
    )
    harmless = all(is_harmless(setting) for setting, *_ in changes)
    return Check(name=name, passed=None if harmless else False, statement=text)


def _drift(scene: Scene, laws: Laws) -> Check:
    name = "machine did not drift"
    measured = np.array([point.step_ns.value for point in scene.points])
    residuals = np.log(measured) - laws.forecast.pick(laws.forecast.whole, np.asarray(scene.sizes)).log_value
    found = find_drift(residuals.tolist(), scene.sizes, [point.measured_utc for point in scene.points])
    if found is None:
        text = f"Fewer than {FEWEST_POINTS} points, or moments that are not known, cannot show a drift."
        return Check(name=name, passed=None, statement=text)
    if found.p_value <= LEVEL:
        text = (
            f"Residuals move by {percent(found.change)} from the first measured point to the last "
            f"(permutation test, p = {found.p_value:.2g}): the machine changed while the sweep ran. "
            "Measure the first point again."
        )
        return Check(name=name, passed=False, statement=text)
    if not found.is_told_apart:
        text = "Larger points were measured later: a drift would look like growth. Measure the first again."
        return Check(name=name, passed=None, statement=text)
    text = f"Residuals do not move with the order of measuring (permutation test, p = {found.p_value:.2g})."
    return Check(name=name, passed=True, statement=text)
