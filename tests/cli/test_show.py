"""Everything about one point, asked for in every way, over real files."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.cli import run
from saih.config.definition import define
from saih.config.sweep_file import read_sweep
from saih.domain.point import Point
from saih.reports.terminal_text import columns_of
from saih.store.sweep_folder import SweepFolder, record_definition

Measured = Callable[..., tuple[Point, ...]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


def test_a_completed_point_shows_all_that_was_measured(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[0]
    assert run(["show", point.point_id]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Point {point.point_id} of tiny: completed\n")
    for part in (
        "Cost, by arithmetic",
        "> attempt-1  completed",
        "median step         2.0",
        "n = 30",
        "Phases: medians",
        "backward            ████████████ ",
        "Course, from the first step to the last",
        "Held back by: no ceilings measured",
        "Energy: absent; the record is from a version that did not read energy counters",
        "cache state         warm",
        "bytes read          36.9 kB",
        f"Files: results/tiny/{point.point_id}/attempt-1",
        "Next: saih sweep tiny",
    ):
        assert part in out
    assert max(map(columns_of, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_beginnings_records_and_numbers_mean_the_same_point(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    points = measured()
    point_id = points[0].point_id
    texts = []
    for asked in (point_id, point_id[:7], f"{point_id}/attempt-1", f"{point_id[:7]}/attempt-1"):
        assert run(["show", asked, "tiny"]) == 0
        texts.append(capsys.readouterr().out)
    assert len(set(texts)) == 1
    assert run(["show", "1"]) == 0
    assert f"Point {point_id} of tiny (number 1 of the report)" in " ".join(capsys.readouterr().out.split())


def test_a_failed_point_shows_every_attempt_and_what_to_do(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[4]
    assert run(["show", point.point_id]) == 0
    out = capsys.readouterr().out
    assert "failed: out of memory: rank 0 was killed at 61 GB" in " ".join(out.split())
    assert "attempt-1: rank 1 died" in out
    assert "To do: a result: the edge of what fits." in out
    assert "median step" not in out
    assert run(["show", f"{point.point_id}/attempt-1", "--json"]) == 0
    shown = [one["record_id"] for one in json.loads(capsys.readouterr().out)["attempts"] if one["is_shown"]]
    assert shown == [f"{point.point_id}/attempt-1"]


def test_a_point_that_was_begun_and_one_never_tried_say_so(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[5]
    assert run(["show", point.point_id]) == 0
    out = capsys.readouterr().out
    assert "pending" in out.splitlines()[0]
    assert "it has no outcome: it is going on, or was stopped before its end" in " ".join(out.split())
    next((tmp_path / "results" / "tiny" / point.point_id).glob("*/point.json")).parent.rename(
        tmp_path / "gone"
    )
    assert run(["show", point.point_id]) == 0
    assert "attempt-" not in capsys.readouterr().out


def test_the_json_document_holds_what_the_text_shows(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[1]
    assert run(["show", point.point_id, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["version"]) == ("saih.point", 1)
    assert document["point_id"] == point.point_id
    assert document["summary"]["step_ns"]["count"] == 30
    assert len(document["course"]["step_ns"]) == 30
    assert document["attempts"][0]["notes"]["cache_state"] == "warm"
    assert document["cost"]["num_parameters"] == document["summary"]["num_parameters"]
    assert set(document["labels"]) == set(document["size_labels"]) == {"data", "model"}


def test_a_damaged_record_is_told_and_gives_no_number(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[0]
    steps = tmp_path / "results" / "tiny" / point.point_id / "attempt-1" / "steps.h5"
    steps.write_bytes(steps.read_bytes()[:-1] + b"x")
    assert run(["show", point.point_id]) == 0
    out = capsys.readouterr().out
    assert "damaged" in out.splitlines()[0]
    assert "Warning: " in out
    assert "median step" not in out


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("zz", "is no point"),
        ("\x1b[31m" * 200, "is no point"),
        ("99", "there is no point '99'"),
        ("0123456789abcdef", "there is no point"),
        ("0" * 17, "is no point"),
        ("../../etc", "is no point"),
    ],
)
def test_what_is_no_point_is_refused(
    asked: str, problem: str, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["show", asked]) == 2
    err = capsys.readouterr().err
    assert problem in err
    assert len(err) < 700


def test_an_attempt_that_is_not_there_is_refused_with_those_that_are(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[4]
    assert run(["show", f"{point.point_id}/attempt-9"]) == 2
    assert "it has 1, 2." in capsys.readouterr().err


def test_a_point_of_two_sweeps_needs_the_name_of_one(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured("tiny")[0]
    measured("twin")
    assert run(["show", point.point_id]) == 2
    err = capsys.readouterr().err
    assert f"saih show {point.point_id} tiny" in err
    assert f"saih show {point.point_id} twin" in err
    assert run(["show", "1"]) == 2
    assert "saih show 1 twin" in capsys.readouterr().err
    assert run(["show", "1", "twin"]) == 0


def test_a_sweep_beside_that_cannot_be_read_hides_no_point(
    measured: Measured, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = measured()[0]
    record_definition(SweepFolder(tmp_path / "results", "odd"), {"name": "odd"})
    assert run(["show", point.point_id]) == 0
    assert "odd was passed over" in capsys.readouterr().err


def test_a_number_where_nothing_was_measured_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], measured: Measured
) -> None:
    measured()
    shutil.rmtree(tmp_path / "results" / "tiny", ignore_errors=False)
    record_definition(SweepFolder(tmp_path / "results", "tiny"), define(read_sweep(tmp_path / "tiny.yaml")))
    assert run(["show", "999999"]) == 2
    assert "has no finished point yet" in capsys.readouterr().err


def test_without_results_it_says_what_to_run_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "abc"]) == 2
    assert "run `saih sweep` first" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["show", "analyze", "status"])
def test_streams_that_were_closed_before_the_start_take_nothing_and_break_nothing(
    verb: str, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = measured()[0]
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run([verb, point.point_id] if verb == "show" else [verb, "tiny"]) == 0
