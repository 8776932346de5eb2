"""``saih verify`` on the command line: what it would cost, and what it refuses."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Saih

from saih.domain.point import Point
from saih.domain.verification import FULL, QUICK

Measured = Callable[..., tuple[Point, ...]]


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Saih:
    monkeypatch.chdir(tmp_path)
    return Saih(capsys)


def test_a_dry_run_tells_pairs_and_time_of_each_point_and_writes_nothing(
    saih: Saih, measured: Measured, tmp_path: Path
) -> None:
    points = measured("tiny")
    before = sorted(path for path in tmp_path.rglob("*") if "index" not in path.name)
    said = saih("verify", "tiny", "--dry-run")
    assert said.exit_code == 0
    document = saih("verify", "tiny", "--dry-run", "--json").document
    assert document["schema"] == "saih.verify-dry-run"
    told = {one["point_id"]: one for one in document["points"]}
    assert told
    assert set(told) <= {point.point_id for point in points}
    assert all(f"{point_id}  " in said.out for point_id in told)
    one = next(iter(told.values()))
    assert one["pairs"] in {FULL.num_pairs_of(meeting) for meeting in ("never", "gradients")}
    assert document["predicted_s"] > sum(point["predicted_s"] for point in told.values())
    assert sorted(path for path in tmp_path.rglob("*") if "index" not in path.name) == before


def test_options_change_the_windows(saih: Saih, measured: Measured) -> None:
    measured("tiny")
    quick = saih("verify", "tiny", "--dry-run", "--quick", "--json").document
    whole = saih("verify", "tiny", "--dry-run", "--json").document
    more = saih("verify", "tiny", "--dry-run", "--pairs", "21", "--json").document
    assert quick["plan"]["window_s"] == QUICK.window_s
    assert quick["predicted_s"] < whole["predicted_s"] / 2
    assert (more["plan"]["num_pairs"], more["plan"]["pairs_per_dose"]) == (21, 7)
    one = whole["points"][0]["point_id"]
    chosen = saih("verify", "tiny", "--dry-run", "--point", one[:6], "--json").document
    assert [point["point_id"] for point in chosen["points"]] == [one]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--point", "ffffff"), "begins with 'ffffff'"),
        (("--point", ""), "begins with ''"),
        (("--pairs", "6"), "6"),
    ],
)
def test_what_makes_no_sense_is_refused(
    saih: Saih, measured: Measured, arguments: tuple[str, ...], problem: str
) -> None:
    measured("tiny")
    said = saih("verify", "tiny", *arguments)
    assert said.exit_code == 2
    assert problem in said.err


def test_sweeps_say_what_testing_adds_to_them(saih: Saih, measured: Measured, tmp_path: Path) -> None:
    measured("tiny")
    said = saih("sweep", str(tmp_path / "tiny.yaml"), "--verify", "--dry-run")
    assert said.exit_code == 0
    assert "verify: " in said.out
    assert "pairs of windows" in said.out
