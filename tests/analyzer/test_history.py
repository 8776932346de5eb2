from dataclasses import replace

import numpy as np
import pytest

from benchmarks.comparison_systems import system
from saih.analyzer.history import history
from saih.domain.errors import UsageError

GRID = [(8.0**data, 2.0**model) for data in range(3) for model in range(2)]


def runs_of(seed, count, slower_from=None, only=None, grid=GRID):
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        factor = 1.1 if slower_from is not None and number >= slower_from else 1.0
        one = system(
            "nightly",
            lambda data, model, factor=factor: (
                (factor if only is None or (data, model) == only else 1.0) * (3 + data * model)
            ),
            grid,
            generator,
            (0.015, 0.0, 1),
        )
        when = f"2026-01-{number + 1:02d}T02:00:00Z"
        points = tuple(replace(point, measured_utc=when) for point in one.points)
        found.append(replace(one, name=f"run {number + 1}", points=points, facts={"torch": f"2.{factor}"}))
    return found


def test_a_slower_system_is_told_over_all_and_at_its_points_in_the_order_of_time():
    runs = runs_of(1, 12, slower_from=7)
    found = history(runs[::-1])
    assert [run.name for run in found.runs] == [run.name for run in runs]
    (change,) = found.overall.changes
    assert change.since.name == "run 8"
    assert change.ratio.low <= 1 / 1.1 <= change.ratio.high
    assert sum(bool(series.changes) for series in found.points) >= 4
    assert found.differences == ("From run 7 to run 8: torch from 2.1.0 to 2.1.1.",)


def test_a_change_at_one_point_alone_is_told_there():
    found = history(runs_of(2, 14, slower_from=6, only=GRID[2]))
    changed = [series for series in found.points if series.changes]
    assert [series.labels["data"] for series in changed] == ["8"]


def test_a_change_at_one_of_many_points_is_told_there():
    grid = [(2.0**data, 2.0**model) for data in range(15) for model in range(10)]
    found = history(runs_of(6, 14, slower_from=6, only=grid[77], grid=grid))
    changed = [series for series in found.points if series.changes]
    assert [(series.labels["data"], series.labels["model"]) for series in changed] == [("128", "128")]


def test_a_steady_system_gives_no_alarm():
    alarms = 0
    for seed in range(40):
        found = history(runs_of(seed, 10))
        alarms += any(series.changes for series in (found.overall, *found.points))
    assert alarms <= 2


def test_few_runs_and_points_that_come_and_go_say_so():
    runs = runs_of(3, 7)
    runs[2] = replace(runs[2], points=runs[2].points[1:])
    found = history(runs)
    assert found.points[0].rates[2] is None
    assert "mean over 5 points" in found.overall.labels["points"]
    short = history(runs[:4])
    assert "4 runs, and changes are told from 6 on" in short.overall.remark


def test_runs_without_a_common_point_say_so():
    runs = runs_of(4, 6)
    runs = [replace(run, points=run.points[number : number + 1]) for number, run in enumerate(runs)]
    found = history(runs)
    assert found.overall.rates == (None,) * 6
    assert found.overall.remark == "no point was measured in every run"


def test_a_single_run_is_refused():
    one = runs_of(5, 1)[0]
    with pytest.raises(UsageError, match="1 of 2 have"):
        history([one, replace(one, points=())])
