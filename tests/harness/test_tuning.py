"""The search on one rank: what it keeps, refuses, survives, and when it stops."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mpi4py import MPI
from tuned_application import THREADS, MadeJob, MadeSession

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment, Outcome
from saih.domain.tuning import Candidate, TuningPlan, execution_of
from saih.harness.ending import COMPLETED
from saih.harness.point_run import Setting
from saih.harness.ranks import take_seats
from saih.harness.sentinel import Sentinel
from saih.harness.tuning import ALL_SETTINGS, AS_PLACED, Found
from saih.harness.tuning_rates import batch_rates
from saih.harness.tuning_settle import Archive, search_and_keep, settle
from saih.store.tuned_file import read_tuned
from workloads.execution import PLAIN, TUNED, TUNED_AT_PRECISION

pytestmark = pytest.mark.slow
ENVIRONMENT = Environment(facts={}, notes={}, environment_id="0123456789abcdef")
ALONE = Placement()


def point(*, broken: int = 0, size: int = 1) -> Point:
    return Point(
        workload="made",
        problem=Problem(data=Shape.of(size=size), model=Shape.of(broken=broken)),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placement=ALONE,
        timing=Timing(warmup_steps=1),
        seed=1,
        execution=TUNED,
    )


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Setting(
        ranks=take_seats(MPI.COMM_SELF, ALONE),
        data_folder=tmp_path,
        sentinel=Sentinel(MPI.COMM_SELF, 60, last_words=lambda _: None),
        watchdog_s=60,
    )
    torch.set_num_threads(threads)
    assert MadeSession.open_executions == []


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(root=tmp_path, environment=ENVIRONMENT, tell=lambda _: None)


def searched(asked: Point, setting: Setting, archive: Archive, budget_s: float = 30) -> Found:
    plan = TuningPlan(budget_s=budget_s, has_yardsticks=True)
    return search_and_keep(asked, MadeJob(), setting, archive, plan)


def tried(found: Found) -> dict[tuple[str, str], Candidate]:
    assert found.tuned is not None
    return {(one.setting, one.value): one for one in reversed(found.tuned.candidates)}


def test_each_setting_is_kept_refused_or_told_for_what_it_does(setting: Setting, archive: Archive) -> None:
    found = searched(point(), setting, archive)
    tuned, candidates = found.tuned, tried(found)
    assert tuned is not None
    assert (tuned.execution.precision, tuned.execution.compiler) == ("bfloat16", "inductor")
    assert (tuned.execution.layout, tuned.execution.kernels, tuned.execution.inputs) == (
        "channels_last",
        "torch",
        "float32",
    )
    half = candidates["precision", "bfloat16"]
    assert half.verdict == "kept"
    assert half.gain is not None
    assert 1.3 < half.gain.value < 6.0
    assert candidates["layout", "channels_first"].verdict == "slower"
    assert candidates["kernels", "own"].verdict == "failed"
    assert "the own kernel does not run here" in candidates["kernels", "own"].reason
    assert candidates["inputs", "counts"].verdict == "refused"
    assert "off by 50 %" in candidates["inputs", "counts"].reason
    assert candidates["compiler", "inductor"].verdict == "kept"  # alone, as its memory asks
    assert tuned.stop_reason == "every setting was tried"
    assert tuned.against_plain is not None
    assert tuned.against_plain.value > 2
    assert tuned.against_reference is not None
    assert tuned.against_reference.value > 2
    assert read_tuned(archive.root, ENVIRONMENT.environment_id, point()) == tuned


def test_a_point_takes_what_was_found_before_and_says_so(setting: Setting, archive: Archive) -> None:
    first = settle(replace(point(), timing=Timing(budget_s=2)), MadeJob(), setting, archive)
    again = settle(point(), MadeJob(), setting, archive)
    assert '"is_reused": false' in first.notes["execution_search"]
    assert '"is_reused": true' in again.notes["execution_search"]
    assert again.ending == COMPLETED
    assert again.execution == first.execution == execution_of(point(), again.notes)
    assert again.execution.precision == "bfloat16"


def test_another_problem_begins_with_what_was_found_last(setting: Setting, archive: Archive) -> None:
    assert searched(point(), setting, archive).tuned is not None
    found = searched(point(size=2), setting, archive, budget_s=4)
    assert found.tuned is not None
    assert found.tuned.candidates[0].setting == ALL_SETTINGS
    assert found.tuned.candidates[0].verdict == "kept"


def test_settings_that_a_point_rules_out_are_not_tried(setting: Setting, archive: Archive) -> None:
    found = searched(replace(point(), execution=TUNED_AT_PRECISION), setting, archive, budget_s=2)
    assert found.tuned is not None
    assert found.tuned.execution.precision == "float32"
    assert ("precision", "bfloat16") not in tried(found)


def test_a_spent_budget_leaves_settings_untried_and_tells_them(setting: Setting, archive: Archive) -> None:
    found = searched(point(), setting, archive, budget_s=0.001)
    assert found.tuned is not None
    assert found.tuned.execution == replace(PLAIN, name="found", precision="float32")
    assert {one.verdict for one in found.tuned.candidates} == {"not tried"}
    assert found.tuned.stop_reason == "budget of 0.001 s spent, 5 not tried"


def test_where_the_plain_execution_is_too_large_another_may_do(setting: Setting, archive: Archive) -> None:
    found = searched(point(broken=1), setting, archive)
    assert found.tuned is not None
    assert found.tuned.execution.precision == "bfloat16"
    assert found.tuned.against_plain is None
    assert "out of memory" in tried(found)["plain", ""].reason
    assert "nothing to compare" in tried(found)["precision", "bfloat16"].reason


def test_a_point_that_no_execution_can_step_ends_as_the_plain_one_does(
    setting: Setting, archive: Archive
) -> None:
    asked = replace(point(broken=1), execution=TUNED_AT_PRECISION)
    settlement = settle(asked, MadeJob(), setting, archive)
    assert settlement.ending.outcome is Outcome.OUT_OF_MEMORY
    assert "float32 is too large" in settlement.ending.reason


@pytest.mark.parametrize("are_free", [True, False])
def test_fewer_threads_that_won_while_others_had_the_cores_must_win_again(
    setting: Setting, archive: Archive, monkeypatch: pytest.MonkeyPatch, *, are_free: bool
) -> None:
    monkeypatch.setattr(MadeSession, "are_cores_free", are_free)
    found = searched(point(broken=THREADS), setting, archive)
    candidates = tried(found)
    assert found.tuned is not None
    assert found.tuned.execution.threads == 0
    if are_free:
        assert candidates["threads", "1"].verdict == "slower"
        assert ("threads", AS_PLACED) not in candidates
    else:
        assert candidates["threads", "1"].verdict == "kept"
        again = candidates["threads", AS_PLACED]
        assert again.verdict == "kept"
        assert again.gain is not None
        assert again.gain.value > 1.3


def test_rates_of_batches_are_told_one_by_one(setting: Setting) -> None:
    execution = replace(PLAIN, name="found", precision="float32")
    rates = batch_rates((point(), execution), (2, 8), MadeJob(), setting, lambda _: None)
    assert [one.batch_per_rank for one in rates] == [2, 8]
    small, large = (one.samples_per_s for one in rates)
    assert small is not None
    assert large is not None
    assert 2 < large.value / small.value < 8  # a step lasts as long whatever its batch
