"""``saih tune``: what is known is told without starting anything, what makes no sense is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Saih
from tuning_samples import tuned

from saih.domain.point import Point
from saih.machine.environment import capture
from saih.store.tuned_file import write_tuned
from workloads.execution import TUNED

Measured = Callable[..., tuple[Point, ...]]


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Saih:
    monkeypatch.chdir(tmp_path)
    return Saih(capsys)


def keep(root: Path, points: tuple[Point, ...]) -> None:
    for point in points:
        write_tuned(root / "results", tuned(replace(point, execution=TUNED), capture().environment_id))


def test_each_setting_is_told_with_what_it_bought(saih: Saih, measured: Measured, tmp_path: Path) -> None:
    points = measured("tiny")
    keep(tmp_path, points)
    said = saih("tune", "tiny", "--batches", "2")
    words = " ".join(said.out.split())
    assert said.exit_code == 0
    assert said.out.count("bfloat16, own kernels, 6.50 ms per step") == len(points)
    assert "2.90x [2.81, 2.99] the speed of the plain execution; 3.10x" in words
    assert "searched for 12.5 s: every setting was tried" in words
    assert "refused" in words
    assert "its loss is odd" in words
    assert "310 samples/s" in words
    one = points[0].point_id
    found = saih("tune", "tiny", "--point", one, "--json").document["points"]
    assert len(found) == 1
    assert found[0]["tuned"]["execution"]["precision"] == "bfloat16"
    assert [one["verdict"] for one in found[0]["tuned"]["candidates"]] == ["kept", "refused"]


@pytest.mark.parametrize("batches", ["two", "0", "1,-2"])
def test_batches_that_are_none_are_refused(saih: Saih, batches: str) -> None:
    said = saih("tune", "laptop", "--batches", batches)
    assert said.exit_code == 2
    assert "--batches" in said.err


def test_a_workload_with_one_way_to_execute_steps_is_refused(saih: Saih, tmp_path: Path) -> None:
    (tmp_path / "serving.yaml").write_text(
        "name: serving\nworkload: energon\nbase:\n"
        "  data: {sequence: 16, valid_percent: 50, batches: 2, new_tokens: 1}\n"
        "  model: {layers: 2, hidden: 16, heads: 2, vocab: 64}\n"
        "run: {batch_per_rank: 2, exchange: none}\n"
    )
    said = saih("tune", "serving.yaml")
    assert said.exit_code == 2
    assert "one way to execute its steps" in said.err
