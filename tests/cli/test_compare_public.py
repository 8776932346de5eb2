"""``saih compare`` with public MLPerf logs in the place of sweeps."""

import json
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest

from saih.cli import run
from saih.commands.public_system import public_system
from saih.domain.errors import UsageError
from saih.domain.point import Point
from tests.interchange.mlperf_logs import run_lines, write_log

Measured = Callable[..., tuple[Point, ...]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Logs of two systems: three runs each, the second half as fast."""
    for name, factor in (("fast", 1.0), ("slow", 2.0)):
        for number, wave in enumerate((1.0, 1.01, 0.99)):
            epochs = [factor * wave * second for second in (5, 5.1, 4.9, 5, 5, 5.05)]
            write_log(tmp_path / name / f"result_{number}.txt", run_lines(epochs))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_public_systems_are_compared_with_their_cautions(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", "Fast one=mlperf:fast", "mlperf:slow", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (pair,) = document["pairs"]
    assert len(pair["matched"]) == 1
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(document["report"]).pages)
    flat = " ".join(text.split())
    assert "not an official MLPerf score" in flat
    assert "Fast one" in flat
    assert run(["compare", "Fast one=mlperf:fast", "mlperf:slow", "--min-ratio", "1.5"]) == 0
    assert run(["compare", "mlperf:slow", "mlperf:fast", "--min-ratio", "1.5"]) == 5


def test_public_results_can_be_taken_over_time(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "--history", "Fast one=mlperf:fast", "mlperf:slow"]) == 0
    assert "history-of-Fast-one.pdf" in capsys.readouterr().out


def test_a_small_sweep_and_a_public_system_have_no_point_in_common(
    home: Path, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    measured()
    assert run(["compare", "tiny", "mlperf:fast", "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert pair["matched"] == []


@pytest.mark.parametrize(
    ("word", "name", "nodes", "gpus"),
    [
        ("mlperf:fast", "fast", 2, 8),
        ("A=B=mlperf:fast", "A=B", 2, 8),
        ("mlperf:bare,nodes=3,gpus=2", "bare", 3, 6),
        ("mlperf:bare,gpus=0,nodes=3", "bare", 3, 0),
        ("mlperf:bare", "bare", None, None),
        ("mlperf:with,comma", "with,comma", 2, 8),
    ],
)
def test_a_word_names_the_logs_and_what_they_do_not_tell(
    home: Path, word: str, name: str, nodes: int | None, gpus: int | None
) -> None:
    write_log(home / "bare" / "a.txt", run_lines([5], nodes=None, gpus=None))
    write_log(home / "with,comma" / "a.txt", run_lines([5]))
    system = public_system(word)
    assert system is not None
    assert (system.name, system.points[0].num_nodes, system.points[0].num_gpus) == (name, nodes, gpus)


@pytest.mark.parametrize("word", ["sweep", "A=sweep", "./mlperf:", "results/mlperf"])
def test_other_words_name_no_public_system(word: str) -> None:
    assert public_system(word) is None


@pytest.mark.parametrize(
    "word",
    [
        "mlperf:",
        "A=mlperf:",
        "mlperf:nowhere",
        "mlperf:fast,nodes=0",
        "mlperf:fast,gpus=many",
        "mlperf:fast,precision=A B",
    ],
)
def test_wrong_words_are_usage_errors(home: Path, word: str) -> None:
    with pytest.raises(UsageError):
        public_system(word)
    assert run(["compare", word, "mlperf:slow"]) == 2
