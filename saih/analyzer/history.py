"""The same points of one system in run after run, ordered by time, and when their speed changed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np

from saih.analyzer.change_detector import FEWEST_RUNS, Array, detector, first_p_value, steps_of
from saih.analyzer.comparison_decision import holm
from saih.analyzer.comparison_ratio import LEVEL, combined
from saih.analyzer.propagation import geometric_mean
from saih.domain.errors import UsageError
from saih.domain.history import Change, History, Run, Series
from saih.domain.interval import Interval
from saih.domain.system import Key, System, SystemPoint

ALARM_RATE = 0.01
"""How often a system that never changed may give an alarm: histories are asked again and again."""
Question = tuple[Key, str]


def history(systems: Sequence[System]) -> History:
    """The runs in the order of time, and the steps in each point and in the mean over all points.

    All series share one error rate of 1 %: a system that never changed gives any alarm in at most 1 % of
    histories. A series of fewer than six runs tells nothing, and says so.

    Raises:
        UsageError: for fewer than two runs with points.
        EnvironmentMissing: where the detector is not installed.
    """
    detector()
    ordered = sorted((system for system in systems if system.points), key=_began)
    if len(ordered) < 2:
        raise UsageError(
            f"a history needs two or more sweeps with measured points, {len(ordered)} of {len(systems)} have",
            "name more sweeps of the system.",
        )
    runs = tuple(Run(name=system.name, measured_utc=_first(system)) for system in ordered)
    asked = [_by_question(system) for system in ordered]
    questions = list(dict.fromkeys(question for found in asked for question in found))
    points = [_series([found.get(question, ()) for found in asked]) for question in questions]
    overall = _overall(points, len(runs))
    decided = _decided([overall, *points], runs)
    return History(
        runs=runs,
        overall=decided[0],
        points=tuple(decided[1:]),
        differences=_differences(ordered),
        level=LEVEL,
    )


def _first(system: System) -> str:
    known = [point.measured_utc for point in system.points if point.measured_utc]
    return min(known, key=datetime.fromisoformat, default="")


def _began(system: System) -> float:
    """Moment of the first point; runs without one come first, in the order given."""
    first = _first(system)
    return datetime.fromisoformat(first).timestamp() if first else -math.inf


def _by_question(system: System) -> dict[Question, tuple[SystemPoint, ...]]:
    found: dict[Question, tuple[SystemPoint, ...]] = {}
    for point in system.points:
        question = point.key, point.device
        found[question] = (*found.get(question, ()), point)
    return found


def _series(groups: Sequence[Sequence[SystemPoint]]) -> Series:
    """One point through the runs; repeats inside a run count as one."""
    measured = [point for group in groups for point in group]
    first = measured[0]
    place = {"placement": first.placement_label} if first.placement_label else {}
    return Series(
        labels={**{axis: label for axis, label in first.labels.items() if axis != "ranks"}, **place},
        rates=tuple(
            combined(group, [point.samples_per_s for point in group]) if group else None for group in groups
        ),
        record_ids=tuple(point.record_id for point in measured),
        changes=(),
        remark="",
    )


def _overall(points: Sequence[Series], num_runs: int) -> Series:
    """Geometric mean of the points that every run has, relative to the first run."""
    whole = [[rate for rate in series.rates if rate is not None] for series in points]
    whole = [rates for rates in whole if len(rates) == num_runs]
    rates: list[Interval | None] = [None] * num_runs
    for place in range(num_runs if whole else 0):
        rates[place] = geometric_mean([series[place].scaled(1 / series[0].value) for series in whole])
    kept = [series for series in points if all(rate is not None for rate in series.rates)]
    return Series(
        labels={"points": f"mean over {len(whole)} points that every run has"},
        rates=tuple(rates),
        record_ids=tuple(record for series in kept for record in series.record_ids),
        changes=(),
        remark="" if whole else "no point was measured in every run",
    )


def _decided(series: Sequence[Series], runs: Sequence[Run]) -> list[Series]:
    """The series with their changes, or with why nothing can be told."""
    places = [[place for place, rate in enumerate(one.rates) if rate is not None] for one in series]
    logs = [_logs(one) for one in series]
    corrected = holm([first_p_value(values) for values in logs])
    told = []
    for one, own, values, p_value in zip(series, places, logs, corrected, strict=True):
        if len(values) < FEWEST_RUNS:
            remark = one.remark or f"{len(values)} runs, and changes are told from {FEWEST_RUNS} on"
            told.append(replace(one, remark=remark))
        elif p_value >= ALARM_RATE:
            told.append(one)
        else:
            told.append(replace(one, changes=_changes(values, own, runs, p_value)))
    return told


def _logs(series: Series) -> Array:
    return np.array([math.log(rate.value) for rate in series.rates if rate is not None])


def _changes(values: Array, places: Sequence[int], runs: Sequence[Run], p_value: float) -> tuple[Change, ...]:
    return tuple(
        Change(
            place=places[step.place],
            since=runs[places[step.place]],
            ratio=Interval(
                low=math.exp(step.size - step.half_width),
                value=math.exp(step.size),
                high=math.exp(step.size + step.half_width),
                level=LEVEL,
                count=len(values),
            ),
            p_value=p_value,
        )
        for step in steps_of(values, ALARM_RATE)
    )


def _differences(ordered: Sequence[System]) -> tuple[str, ...]:
    """Facts that changed from one run to the next."""
    said = []
    for before, after in pairwise(ordered):
        said += [
            f"From {before.name} to {after.name}: {fact} from {_fact(before.facts, fact)} to "
            f"{_fact(after.facts, fact)}."
            for fact in sorted({*before.facts, *after.facts})
            if before.facts.get(fact) != after.facts.get(fact)
        ]
    return tuple(said)


def _fact(facts: Mapping[str, str], name: str) -> str:
    return facts.get(name, "no entry")
