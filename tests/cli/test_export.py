"""``saih export`` over real results: what it writes, tells and refuses."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from saih.cli import run
from saih.domain.point import Point
from saih.interchange.extrap_text import parse_extrap
from saih.interchange.mllog import parse

Measured = Callable[..., tuple[Point, ...]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_completed_point_is_a_log_and_what_is_missing_is_told(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    points = measured()
    assert run(["export", "tiny", "--output", "out", "--organisation", "Org \x1b[31m"]) == 0
    said = capsys.readouterr()
    names = sorted(f"{point.point_id}_attempt-1.mllog" for point in points[:4])
    assert sorted(path.name for path in (home / "out").iterdir()) == names
    assert sorted(Path(line).name for line in said.out.splitlines()) == names
    assert "eval_error: SAIH times training steps" in said.err
    assert "submission_platform: not given" in said.err
    assert "submission_org" not in said.err
    for path in (home / "out").iterdir():
        values = {event.key: event.value for event in parse(path.read_bytes(), path.name)}
        assert values["submission_org"] == "Org \x1b[31m"
        assert values["global_batch_size"] == 2 * points[0].batch_per_rank


def test_json_lists_files_and_reasons_and_the_same_results_give_the_same_bytes(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["export", "tiny", "--output", "out", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["files"]) == 4
    assert document["unfilled"]["init_start"]
    before = {path: path.read_bytes() for path in (home / "out").iterdir()}
    assert run(["export", "tiny", "--output", "out", "--json"]) == 0
    assert {path: path.read_bytes() for path in (home / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["export", "tiny"], 2, "--output"),
        (["export", "nothing", "--output", "out"], 2, "nothing"),
        (["export", "tiny", "--output", "out", "--format", "xml"], 2, "mllog"),
        (["export", "tiny", "--output", "file"], 2, "file"),
        (["export", "tiny", "--output", "file/below"], 2, "below"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    home: Path,
    measured: Measured,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    exit_code: int,
    words: str,
) -> None:
    measured()
    (home / "file").write_text("x")
    assert run(arguments) == exit_code
    assert words in capsys.readouterr().err
    assert not (home / "out").exists()


def test_exported_trends_have_the_same_laws_when_read_back(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["export", "tiny", "--output", "out", "--format", "csv"]) == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["tiny-trends.csv", "tiny-steps.csv"]
    assert run(["analyze", "tiny", "--json"]) == 0
    analysis = json.loads(capsys.readouterr().out)
    assert run(["trends", "out/tiny-trends.csv", "--json"]) == 0
    series = json.loads(capsys.readouterr().out)["series"]
    assert len(series) == len(analysis["trends"]) > 0
    for ours, again in zip(analysis["trends"], series, strict=True):
        assert again["series"]["name"] == f"{ours['axis']} at {ours['fixed']}"
        assert [point["size"] for point in again["points"]] == ours["sizes"]
        assert [point["interval"]["low"] for point in again["points"]] == [
            step["low"] for step in ours["step_ns"]
        ]
        assert again["fit"]["terms"] == ours["total"]["terms"]
        assert again["fit"]["coefficients"] == pytest.approx(ours["total"]["coefficients"])
        phases = {one["phase"]: one["fit"] for one in again["components"]}
        for fit in ours["components"]:
            assert phases[fit["phase"]]["terms"] == fit["terms"]
            assert phases[fit["phase"]]["coefficients"] == pytest.approx(fit["coefficients"])


def test_every_step_of_every_rank_is_exported(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["export", "tiny", "--output", "out", "--format", "csv"]) == 0
    lines = (home / "out" / "tiny-steps.csv").read_text().splitlines()
    assert lines[0].startswith("record,rank,step,step_ns,input_wait_ns,")
    assert len(lines) == 1 + 4 * 2 * 30


def test_parquet_holds_the_tables_of_csv(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    for text_format in ("csv", "parquet"):
        assert run(["export", "tiny", "--output", "out", "--format", text_format]) == 0
    for name in ("tiny-trends", "tiny-steps"):
        table = parquet.read_table(home / "out" / f"{name}.parquet")
        with (home / "out" / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        found = table.to_pylist()
        assert len(found) == len(rows) > 0
        for row, own in zip(rows, found, strict=True):
            assert {key: "" if value is None else str(value) for key, value in own.items()} == row


def test_extrap_text_holds_every_step_of_every_phase(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["export", "tiny", "--output", "out", "--format", "extrap"]) == 0
    series = parse_extrap((home / "out" / "tiny.txt").read_bytes(), "tiny.txt")
    steps = [one for one in series if one.name.startswith("step time over")]
    assert {one.axis for one in steps} == {"data", "model"}
    assert all(len(repeats) == 30 for one in steps for repeats in one.values)
    assert any(one.name.startswith("step->backward time") for one in series)


def test_without_pyarrow_parquet_is_refused_with_what_to_install(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(["export", "tiny", "--output", "out", "--format", "parquet"]) == 3
    assert "saih[parquet]" in capsys.readouterr().err
    assert list((home / "out").iterdir()) == []
