"""``saih export`` over real results: what it writes, tells and refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.cli import run
from saih.domain.point import Point
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
