"""The text of ``saih status``: readable for ten points and for many thousands, at any width."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from augment.ladder import build
from saih.cli import run
from saih.commands.outcome import state_lines
from saih.commands.overview import PointLine, overview_text, progress_lines
from saih.commands.remaining import time_left
from saih.config.preset import preset_sweep
from saih.domain.limits import Limits
from saih.domain.point import Point
from saih.domain.record import Outcome
from saih.launch.lock import is_held, sweep_lock
from saih.launch.point_standing import PointStanding, Standing
from saih.planner.plan import Plan, make_plan
from saih.reports.terminal_text import columns_of
from saih.store.point_state import PointState, PointStatus

REASON = "rank {} was killed by the kernel at 61 GB: it needs more memory than its node has; a smaller batch"
PENDING = PointState(status=PointStatus.PENDING, outcome=None, reason="", num_attempts=0, num_lost=0)
DONE = replace(PENDING, status=PointStatus.COMPLETED, outcome=Outcome.COMPLETED, num_attempts=1)
FAILED = replace(PENDING, status=PointStatus.FAILED, outcome=Outcome.OUT_OF_MEMORY, num_attempts=1)


def plan_of(num_data: int, num_model: int) -> Plan:
    data = build("data", {"samples": [32 + number for number in range(num_data)]}, "zip")
    model = build("model", {"width": list(range(1, num_model + 1))}, "zip")
    return make_plan(replace(preset_sweep("laptop"), ladders=(data, model)), Limits())


def lines_of(num_data: int, num_model: int) -> tuple[PointLine, ...]:
    plan = plan_of(num_data, num_model)
    states = {}
    for number, planned in enumerate(plan.points):
        failed = replace(FAILED, reason=REASON.format(number))
        states[planned.point.point_id] = (DONE, failed, PENDING)[number % 3]
    return state_lines(plan, states)


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (20, 20), (50, 60)])
def test_no_line_is_wider_than_the_terminal(shape: tuple[int, int], width: int) -> None:
    lines = lines_of(*shape)
    text = [*progress_lines(lines, "", width), *overview_text(lines, width).splitlines()]
    assert max(map(columns_of, text)) <= width
    assert len(text) < 120


def test_few_points_have_a_row_each_with_whole_ids(tmp_path: Path) -> None:
    lines = lines_of(4, 3)
    text = overview_text(lines, 80)
    assert all(sum(row.startswith(line.point_id) for row in text.splitlines()) >= 1 for line in lines)
    assert "same at all points: 32^3 x 4, depth 1" in text


def test_many_points_are_counted_by_rung_and_by_what_became_of_them() -> None:
    text = overview_text(lines_of(20, 20), 80)
    assert "(8 rungs between them not shown)" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["completed", "134"] in [row[:2] for row in rows]
    assert ["out", "of", "memory", "133"] in [row[:4] for row in rows]
    assert "--json lists every point" in text


def test_a_reason_too_long_for_the_table_stands_below_it_whole_and_once() -> None:
    words = " ".join(overview_text(lines_of(4, 3), 80).split())
    assert words.count(REASON.format(1)) == 1
    assert "(and 3 alike)" in words


def test_dropped_points_are_no_part_of_the_progress() -> None:
    lines = (*lines_of(2, 1)[:1], replace(lines_of(2, 1)[0], state="dropped", is_done=False))
    assert progress_lines(lines, "", 80)[0].endswith(" 1 of 1 point (100 %)")


def test_batches_go_on_beside_each_other() -> None:
    plan = plan_of(2, 2)
    ids = [planned.point.point_id for planned in plan.points]
    one, two = (
        {
            point_id: PointStanding(standing=Standing.RUNNING, why="", advice="", batch=number % count)
            for number, point_id in enumerate(ids)
        }
        for count in (1, 2)
    )
    whole, half = (int(time_left(plan, ids, found).split()[1]) for found in (one, two))
    assert half < whole
    assert time_left(plan, (), one) == ""


def test_the_lock_of_a_sweep_is_seen_while_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with sweep_lock(path, 0.0, print):
        assert is_held(path)
    assert not is_held(path)


def test_the_command_shows_how_long_it_takes_only_while_it_goes_on(
    measured: Callable[..., tuple[Point, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)
    measured()
    assert run(["status", "tiny"]) == 0
    said = capsys.readouterr()
    assert "4 of 6 points (66 %)" in said.out
    assert "measuring left" not in said.out
    assert "out of memory" in said.out
    assert said.err.splitlines()[-1] == "next: saih sweep tiny"
    with sweep_lock(tmp_path / "results" / "tiny" / "lock", 0.0, print):
        assert run(["status", "tiny"]) == 0
        said = capsys.readouterr()
        assert run(["status", "tiny", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["is_going_on"] is True
    assert "of measuring left, as planned" in said.out
    assert "next:" not in said.err
    assert said.err.splitlines()[-1] == "`saih sweep` is at work on it now: there is nothing to do"
