"""``saih validate`` and ``saih search``: what is known is told, what is not is studied by real ranks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Saih
from study_samples import search, validation

from saih.commands.validate import command as validate_command
from saih.domain.point import Point
from saih.domain.study import subject_id_of
from saih.store.study_file import write_search, write_validation
from saih.store.sweep_folder import SweepFolder

Measured = Callable[..., tuple[Point, ...]]
SMALL = """\
name: small
workload: cosmoflow
base:
  data: {samples: 4, resolution: 8, channels: 2, universes: 2, steps: 4}
  model: {depth: 1, width: 4}
placement: {ranks_per_node: 2}
"""


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Saih:
    monkeypatch.chdir(tmp_path)
    return Saih(capsys)


def keep(root: Path, points: tuple[Point, ...], *verdicts: str) -> SweepFolder:
    folder = SweepFolder(root / "results", "tiny")
    for point, letters in zip(points, verdicts, strict=False):
        write_validation(folder, validation(subject_id_of(point), letters))
    return folder


def test_what_was_studied_is_told_without_starting_anything(
    saih: Saih, measured: Measured, tmp_path: Path
) -> None:
    points = measured("tiny")
    folder = keep(tmp_path, points, *["ppppppppp"] * (len(points) - 1), "pppppfppp")
    said = saih("validate", "tiny")
    assert said.exit_code == 1  # one of them failed
    assert said.out.count("PASSED: 9 of 9 gates passed") == len(points) - 1
    assert "FAILED: 8 of 9 gates passed, 1 failed (G5)" in said.out
    one = points[0].point_id
    said = saih("validate", "tiny", "--point", one[:6])
    assert said.exit_code == 0
    document = saih("validate", "tiny", "--point", one[:6], "--json").document
    assert [problem["point_id"] for problem in document["problems"]] == [one]
    assert document["problems"][0]["validation"]["findings"]["gates"][0]["name"] == "G0"
    write_search(folder, search())
    said = saih("search", "tiny")
    assert said.exit_code == 0
    assert "3 of 4 rungs on the front" in said.out.replace("\n", " ")


def test_points_are_marked_wherever_they_are_told(saih: Saih, measured: Measured, tmp_path: Path) -> None:
    points = measured("tiny")
    keep(tmp_path, points, "pppppfppp")
    assert "failed at 1" in " ".join(saih("analyze", "tiny").out.split())
    shown = saih("show", points[0].point_id, "tiny").out
    assert "Worth learning: failed" in shown
    assert "G5 the network beats the ridge: failed" in " ".join(shown.split())
    assert "Worth learning" not in saih("show", points[1].point_id, "tiny").out


def test_a_damaged_study_is_told_and_takes_no_part(saih: Saih, measured: Measured, tmp_path: Path) -> None:
    points = measured("tiny")
    folder = keep(tmp_path, points, "ppppppppp")
    path = folder.path / "studies" / f"{subject_id_of(points[0])}.json"
    path.write_bytes(path.read_bytes().replace(b"passed", b"failed", 1))
    said = saih("analyze", "tiny")
    assert said.exit_code == 4
    assert str(path.name) in said.err
    assert "saih validate" in said.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("validate", "tiny", "--point", "ffffff"), "begins with 'ffffff'"),
        (("validate", "tiny", "--budget", "0"), "0"),
        (("validate", "energon"), "energon learns nothing"),
        (("search", "energon"), "energon learns nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(
    saih: Saih, measured: Measured, arguments: tuple[str, ...], problem: str
) -> None:
    measured("tiny")
    said = saih(*arguments)
    assert said.exit_code == 2
    assert problem in said.err


def test_help_names_every_gate() -> None:
    assert validate_command.help is not None
    assert "G0 to" in " ".join(validate_command.help.split())


@pytest.mark.slow
def test_real_ranks_study_a_twin_where_there_are_too_few_universes(saih: Saih, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    said = saih("validate", "small.yaml", "--budget", "2", "--json")
    assert said.exit_code == 0, said.err
    (problem,) = said.document["problems"]
    findings = problem["validation"]["findings"]
    assert findings["is_twin"]
    assert "2 universes are too few" in findings["subject"]
    gates = {gate["name"]: gate for gate in findings["gates"]}
    assert [gates[name]["verdict"] for name in ("G0", "G8")] == ["passed"] * 2, gates
    assert [gates[name]["verdict"] for name in ("G3", "G4", "G5", "G6", "G7")] == ["not run"] * 5
    assert "hold 32^3 particles" in gates["G8"]["statement"] or "files verify" in gates["G8"]["statement"]
    assert problem["verdict"] == "not run"
    again = saih("validate", "small.yaml", "--budget", "2")
    assert "0 failed" in again.out or "not run" in again.out
    assert "to study" not in again.err
