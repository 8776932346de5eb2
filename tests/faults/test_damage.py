"""Whatever happens to the bytes of a finished attempt, it is found, and never becomes a number."""

import random
from pathlib import Path

import pytest

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import AttemptResult, Environment, Outcome, Phase, Steps
from saih.store.point_state import PointStatus
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, point_states, read_records

FILES = ("point.json", "environment.json", "steps.h5", "outcome.json")
NUM_FLIPS = 100


@pytest.fixture
def attempt_path(tmp_path: Path) -> Path:
    point = Point(
        workload="tiny",
        problem=Problem(data=Shape.of(resolution=1), model=Shape.of(width=1)),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=1,
    )
    environment = Environment(facts={"machine": "test"}, notes={}, environment_id="e" * 16)
    rows = (tuple(range(1000, 1200)),)
    steps = Steps(duration_ns={Phase.FORWARD: rows}, step_ns=rows, losses=(0.5, 0.25), warmup_steps=0)
    result = AttemptResult(outcome=Outcome.COMPLETED, reason="", stop_reason="", steps=steps, notes={})
    attempt = begin_attempt(SweepFolder(tmp_path, "s"), point, environment)
    finish(attempt, result)
    return attempt.path


def is_refused(attempt_path: Path) -> bool:
    records, damages = read_records(SweepFolder(attempt_path.parents[2], "s"))
    return records == () and len(damages) == 1 and str(attempt_path) in damages[0].problem


@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_found(attempt_path: Path, name: str) -> None:
    chance, whole = random.Random(1), (attempt_path / name).read_bytes()
    for _ in range(NUM_FLIPS):
        bit = chance.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (attempt_path / name).write_bytes(flipped)
        assert is_refused(attempt_path), (name, bit)
    (attempt_path / name).write_bytes(whole)
    assert len(read_records(SweepFolder(attempt_path.parents[2], "s"))[0]) == 1


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_every_truncated_file_is_found(attempt_path: Path, name: str, share: float) -> None:
    whole = (attempt_path / name).read_bytes()
    (attempt_path / name).write_bytes(whole[: int(share * len(whole))])
    assert is_refused(attempt_path)


@pytest.mark.parametrize("name", FILES[:-1])
def test_every_missing_file_of_a_finished_attempt_is_found(attempt_path: Path, name: str) -> None:
    (attempt_path / name).unlink()
    assert is_refused(attempt_path)


def test_steps_of_another_attempt_do_not_pass_for_those_of_this_one(attempt_path: Path) -> None:
    point_id = attempt_path.parent.name
    folder = SweepFolder(attempt_path.parents[2], "s")
    (attempt_path / "steps.h5").write_bytes((attempt_path / "steps.h5").read_bytes() + b"\0")
    assert is_refused(attempt_path)
    assert point_states(folder, [point_id])[point_id].status is PointStatus.DAMAGED


@pytest.mark.parametrize("name", FILES)
def test_a_point_with_any_damaged_file_is_to_be_measured_again(attempt_path: Path, name: str) -> None:
    point_id = attempt_path.parent.name
    (attempt_path / name).write_bytes((attempt_path / name).read_bytes()[:-1])
    state = point_states(SweepFolder(attempt_path.parents[2], "s"), [point_id])[point_id]
    assert state.is_to_be_measured
    assert str(attempt_path / name) in state.reason


def test_a_point_whose_outcome_is_damaged_says_so_and_is_to_be_measured(attempt_path: Path) -> None:
    point_id = attempt_path.parent.name
    (attempt_path / "outcome.json").write_text("{}")
    state = point_states(SweepFolder(attempt_path.parents[2], "s"), [point_id])[point_id]
    assert state.status is PointStatus.DAMAGED
    assert state.is_to_be_measured
    assert "outcome.json is damaged" in state.reason
