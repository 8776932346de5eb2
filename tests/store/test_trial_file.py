"""Trials of searches: kept while they last, fatal when their ranks died, forgotten when left behind."""

import os
from dataclasses import replace
from pathlib import Path

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome
from saih.domain.trial import Trial
from saih.store.trial_file import condemn, fatal_trials, trial_kept
from workloads.execution import TUNED, TUNED_AT_PRECISION

HERE, OTHER = "0123456789abcdef", "fedcba9876543210"
POINT = Point(
    workload="cosmoflow",
    problem=Problem(data=Shape.of(resolution=16), model=Shape.of(width=4)),
    batch_per_rank=2,
    precision="float32",
    exchange="none",
    placement=Placement(),
    timing=Timing(),
    seed=1,
    execution=TUNED,
)
OWN = Trial(setting="kernels", value="own")
LATER = "9999-01-01T00:00:00+00:00"


def began(root: Path, *, before: bool = True) -> Path:
    path = root / "job.json"
    path.touch()
    if before:
        os.utime(path, (1, 1))
    return path


def dies(root: Path, trial: Trial = OWN, outcome: Outcome = Outcome.OUT_OF_MEMORY) -> Trial | None:
    """As when ranks are killed within the trial: nobody takes its file away."""
    keeping = trial_kept(root, HERE, POINT, trial)
    keeping.__enter__()
    return condemn(root, POINT, since=began(root), outcome=outcome, reason="no memory.")


def test_a_trial_that_ends_leaves_nothing(tmp_path: Path) -> None:
    with trial_kept(tmp_path, HERE, POINT, OWN):
        assert len(list(tmp_path.rglob("*.trying"))) == 1
    assert list(tmp_path.rglob("*.trying")) == []
    assert condemn(tmp_path, POINT, since=began(tmp_path), outcome=Outcome.FAILED, reason="") is None
    assert fatal_trials(tmp_path, HERE, POINT) == ()


def test_fatal_trials_are_those_of_their_question_and_environment(tmp_path: Path) -> None:
    half = Trial(setting="precision", value="bfloat16")
    assert dies(tmp_path) == OWN
    assert dies(tmp_path, half, Outcome.FAILED) == half
    found = fatal_trials(tmp_path, HERE, POINT)
    assert [(one.trial, one.outcome) for one in found] == [
        (OWN, Outcome.OUT_OF_MEMORY),
        (half, Outcome.FAILED),
    ]
    assert fatal_trials(tmp_path, HERE, POINT, since_utc=LATER) == ()
    assert fatal_trials(tmp_path, OTHER, POINT) == ()
    assert fatal_trials(tmp_path, HERE, replace(POINT, execution=TUNED_AT_PRECISION)) == ()
    assert list(tmp_path.rglob("*.trying")) == []


def test_what_a_killed_driver_left_is_no_ones_fault(tmp_path: Path) -> None:
    keeping = trial_kept(tmp_path, HERE, POINT, OWN)
    keeping.__enter__()
    (trying,) = tmp_path.rglob("*.trying")
    os.utime(trying, (1, 1))
    since = began(tmp_path, before=False)
    assert condemn(tmp_path, POINT, since=since, outcome=Outcome.FAILED, reason="") is None
    assert fatal_trials(tmp_path, HERE, POINT) == ()
    assert list(tmp_path.rglob("*.trying")) == []


def test_damaged_notes_say_nothing(tmp_path: Path) -> None:
    dies(tmp_path)
    (path,) = tmp_path.rglob("*.fatal")
    path.write_text("{")
    assert fatal_trials(tmp_path, HERE, POINT) == ()
    assert dies(tmp_path) == OWN
    assert [one.trial for one in fatal_trials(tmp_path, HERE, POINT)] == [OWN]
