"""Checks that tell how far the trend of a foreign series may be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from saih.analyzer.checks import TARGET_FACTOR
from saih.analyzer.fit import GREATEST_FACTOR, PREDICTION_LEVEL, intervals
from saih.analyzer.knee import find_knee
from saih.analyzer.mistaken_unit import NO_LAW_JUMPS, jump
from saih.analyzer.series_laws import SeriesLaws, fit_series, predict_series
from saih.analyzer.series_readings import settings_apart
from saih.domain.quantity import amount, counted, percent
from saih.domain.series import Series, SeriesKind
from saih.domain.series_trend import SeriesPoint
from saih.domain.trend import Check

_FEWEST_CHAINED = 4
_MAX_SETTINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesScene:
    """A series, its usable points, the laws fitted to them, and how its values are written."""

    series: Series
    points: Sequence[SeriesPoint]
    laws: SeriesLaws | None
    words: Callable[[float], str]

    @property
    def target(self) -> float:
        """The end of the curve."""
        return TARGET_FACTOR * self.points[-1].size

    def at(self, size: float) -> str:
        """``4.1 k (neurons)``."""
        return f"{self.series.axis} {amount(size)}"


def check_series(scene: SeriesScene) -> tuple[Check, ...]:
    """All checks of one series; each passes, fails, or stays unknown with the reason."""
    found = [_enough(scene), _same_setting(scene), _units(scene), _direction(scene)]
    if scene.laws is not None:
        found += [_held_out(scene, scene.laws), _factor(scene), _phases(scene, scene.laws), _knee(scene)]
        found.append(_regime(scene, scene.laws))
    return tuple(found)


def _enough(scene: SeriesScene) -> Check:
    count = len(scene.points)
    single = sum(point.num_runs == 1 for point in scene.points)
    runs = f" {single} of them rest on one run, which shows no noise." if single else ""
    if count < 2:
        text = f"{counted(count, 'usable size')}: no law follows. Measure at least {_FEWEST_CHAINED} sizes."
        return Check(name="enough points", passed=False, statement=text)
    if count < _FEWEST_CHAINED:
        text = f"{count} sizes: too few to test a law by forward chaining; plain laws share the weight.{runs}"
        return Check(name="enough points", passed=None, statement=text)
    text = f"{count} sizes; laws were chosen by forward chaining.{runs}"
    return Check(name="enough points", passed=True, statement=text)


def _same_setting(scene: SeriesScene) -> Check:
    """A law joins points of one program on one machine only."""
    name = "same setting at all points"
    readings = scene.series.whole or [one for part in scene.series.phases.values() for one in part]
    if not any(one.facts for one in readings):
        text = "The file tells no settings, so nobody can say whether they are the same."
        return Check(name=name, passed=None, statement=text)
    apart = settings_apart(readings)
    if not apart:
        text = "All settings that the file tells are the same at all points."
        return Check(name=name, passed=True, statement=text)
    told = [
        f"{fact} ({' / '.join(value[:40] for value in list(values)[:4])})"
        for fact, values in list(apart.items())[:_MAX_SETTINGS]
    ]
    text = (
        f"Settings change along the series: {'; '.join(told)}. Where a setting changes, the law may too: "
        "fit the points of each setting by themselves."
    )
    return Check(name=name, passed=False, statement=text)


def _units(scene: SeriesScene) -> Check:
    name = "one unit"
    positive = [point for point in scene.points if point.value > 0]
    place = jump([point.size for point in positive], [point.value for point in positive])
    if place is not None:
        small, large = positive[place : place + 2]
        text = (
            f"Between {scene.at(small.size)} and {amount(large.size)} the value goes from "
            f"{scene.words(small.value)} to {scene.words(large.value)}: {NO_LAW_JUMPS}"
        )
        return Check(name=name, passed=False, statement=text)
    if len(scene.points) < 2:
        return Check(name=name, passed=None, statement="One point shows no jump.")
    return Check(name=name, passed=True, statement="No value is a thousand times its neighbour's.")


def _direction(scene: SeriesScene) -> Check:
    """Larger problems take longer; p ranks are at most p times as fast; weak scaling gets no faster."""
    kind = scene.series.kind
    name = {
        SeriesKind.SIZE: "grows with size",
        SeriesKind.STRONG: "speed-up at most ideal",
        SeriesKind.WEAK: "no faster than ideal",
    }[kind]
    if len(scene.points) < 2:
        return Check(name=name, passed=None, statement="One point has no direction.")
    for small, large in combinations(scene.points, 2):
        ideal = small.size / large.size if kind is SeriesKind.STRONG else 1.0
        if _high(large) < _low(small) * ideal * (1 - 1e-9) and not _is_one_run(small, large, ideal):
            text = (
                f"From {scene.at(small.size)} to {amount(large.size)} the value falls from "
                f"{scene.words(small.value)} to {scene.words(large.value)}, beyond both intervals and beyond "
                "what is ideal: a cache, another setting or algorithm, or one run was disturbed."
            )
            return Check(name=name, passed=False, statement=text)
    return Check(name=name, passed=True, statement="No larger point is faster than it can be.")


def _is_one_run(small: SeriesPoint, large: SeriesPoint, ideal: float) -> bool:
    """Without any interval, only what a common noise of 5 % cannot make counts."""
    has_none = small.interval is None or large.interval is None
    return has_none and large.value > small.value * ideal * 0.95


def _low(point: SeriesPoint) -> float:
    return point.interval.low if point.interval is not None else point.value


def _high(point: SeriesPoint) -> float:
    return point.interval.high if point.interval is not None else point.value


def _held_out(scene: SeriesScene, laws: SeriesLaws) -> Check:
    name = "largest point held out"
    largest = scene.points[-1]
    kept = laws.without(largest.size)
    before = fit_series(kept) if len(kept.points) >= 2 else None
    if before is None or largest.size > GREATEST_FACTOR * kept.points[-1].size:
        text = (
            f"Without the largest point ({scene.at(largest.size)}) nothing reaches it; the law is untested."
        )
        return Check(name=name, passed=None, statement=text)
    expected = intervals(predict_series(before, np.array([largest.size])), len(kept.points))[0]
    passed = expected.low <= largest.value <= expected.high
    text = (
        f"From the smaller points {scene.words(expected.low)} to {scene.words(expected.high)} "
        f"({percent(PREDICTION_LEVEL)}) were expected at {scene.at(largest.size)}; "
        f"{scene.words(largest.value)} were measured."
    )
    return Check(name=name, passed=passed, statement=text)


def _factor(scene: SeriesScene) -> Check:
    text = (
        f"The curve ends at {TARGET_FACTOR:g} times the largest measured size. Up to 4 times calls for "
        f"caution, up to {GREATEST_FACTOR:g} times is speculation, and beyond that only the law is given."
    )
    return Check(name="extrapolation factor", passed=True, statement=text)


def _phases(scene: SeriesScene, laws: SeriesLaws) -> Check:
    """The sum of the phases against the law of the whole, which cannot foresee a change of regime."""
    name = "phases and whole agree"
    if not laws.parts:
        text = "The file tells no phases, so nothing can be held against the whole."
        return Check(name=name, passed=None, statement=text)
    target = np.array([scene.target])
    whole, composed = (
        intervals(one, len(scene.points))[0] for one in (laws.of_whole(target), predict_series(laws, target))
    )
    passed = whole.low <= composed.value <= whole.high or composed.low <= whole.value <= composed.high
    text = (
        f"At {scene.at(target[0])} the phases sum to {scene.words(composed.value)}, the law of the whole "
        f"gives {scene.words(whole.value)}"
    )
    more = "" if passed else "; another phase takes over beyond the measured range, trust the phases"
    return Check(name=name, passed=passed, statement=f"{text}{more}.")


def _knee(scene: SeriesScene) -> Check:
    sizes, values = [point.size for point in scene.points], [point.value for point in scene.points]
    noise = scene.laws.noise if scene.laws is not None else 0.0
    found = find_knee(sizes, values, noise)
    passed = None if not found.is_known else found.knee is None
    return Check(name="no bend inside the range", passed=passed, statement=found.reason)


def _regime(scene: SeriesScene, laws: SeriesLaws) -> Check:
    name = "foresees other regimes"
    if laws.parts:
        text = "Each phase has its own law, so that one which takes over later shows."
        return Check(name=name, passed=True, statement=text)
    text = (
        "An unseen regime is possible: a law of the whole cannot foresee what does not show yet. Give the "
        "phases of the points (column phase) to see beyond."
    )
    return Check(name=name, passed=None, statement=text)
