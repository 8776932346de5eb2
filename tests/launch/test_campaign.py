"""Campaigns with real ranks: every end of a point has its outcome, and every call continues."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from saih.domain.errors import EnvironmentMissing, SaihError, UsageError
from saih.domain.point import Point
from saih.domain.record import Outcome
from saih.launch.campaign import CampaignResult, run
from saih.launch.job_run import Options
from saih.launch.work import order_key
from saih.store.ceilings_file import read_ceilings
from saih.store.point_state import PointStatus
from saih.store.sweep_folder import SweepFolder, read_records
from workloads.execution import REFERENCE, TUNED

Campaign = Callable[..., tuple[CampaignResult, list[Any]]]
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path / "re sults $(x)", "growth")


@pytest.fixture
def campaign(folder: SweepFolder, tiny: ModuleType) -> Campaign:
    def start(points: Sequence[Point], **options: Any) -> tuple[CampaignResult, list[Any]]:
        events: list[Any] = []
        chosen = Options(**{"seed": 3, "worker_module": "tiny_worker", **options})
        return run(folder, points, folder.root, tiny.ENVIRONMENT, events.append, chosen), events

    return start


def jobs(events: Sequence[Any]) -> list[str]:
    return [event["task"] for event in events if event["event"] == "job_begin"]


def test_each_end_of_a_point_has_its_outcome_and_the_others_complete(
    campaign: Campaign, folder: SweepFolder, tiny: ModuleType
) -> None:
    points = {
        fault: tiny.tiny_point(width, fault)
        for width, fault in enumerate(("none", "killed", "raises", "fails", "exits", "orphan"), start=1)
    }
    result, events = campaign(list(points.values()), max_lost=1)
    states = {fault: result.states[point.point_id] for fault, point in points.items()}
    assert {fault: state.outcome for fault, state in states.items()} == {
        "none": Outcome.COMPLETED,
        "killed": Outcome.LOST,
        "raises": Outcome.LOST,
        "fails": Outcome.FAILED,
        "exits": Outcome.LOST,
        "orphan": Outcome.LOST,
    }
    assert (result.num_measured, result.num_lost) == (2, 4)
    assert "signal 9" in states["killed"].reason
    assert "RuntimeError: rank 1 raises as asked" in states["raises"].reason
    assert tiny.processes_naming(str(folder.root)) == []
    ends = [event for event in events if event["event"] == "point_end"]
    assert len(ends) == len(points)
    assert jobs(events)[:3] == ["generate", "ceilings", "measure"]
    assert read_ceilings(folder.root, tiny.ENVIRONMENT.environment_id, points["none"].placement) is not None


@pytest.mark.parametrize("fault", ["gives up", "gives up mutely"])
def test_ranks_that_end_with_the_outcome_of_a_point_leave_the_other_points_to_new_ranks(
    campaign: Campaign, tiny: ModuleType, fault: str
) -> None:
    points = [tiny.tiny_point(width, fault) for width in (1, 2)] + [tiny.tiny_point(3)]
    result, _ = campaign(points)
    assert [result.states[point.point_id].outcome for point in points] == [
        Outcome.FAILED,
        Outcome.FAILED,
        Outcome.COMPLETED,
    ]


def test_a_second_call_repeats_nothing_and_another_environment_is_refused(
    campaign: Campaign, folder: SweepFolder, tiny: ModuleType
) -> None:
    points = [tiny.tiny_point(1), tiny.tiny_point(2, "fails")]
    campaign(points)
    (first, _), _ = read_records(folder)
    again, events = campaign(points)
    assert (again.num_measured, jobs(events)) == (0, [])
    more, events = campaign([*points, tiny.tiny_point(3)])
    assert more.num_measured == 1
    assert jobs(events) == ["generate", "measure"]  # the ceilings are known by now
    assert first in read_records(folder)[0]
    other = replace(tiny.ENVIRONMENT, facts={"machine": "new"}, environment_id="f" * 16)
    with pytest.raises(UsageError, match="machine: 'test' -> 'new'"):
        run(folder, points, folder.root, other, events.append, Options(seed=3, worker_module="tiny_worker"))


def test_another_precision_gets_ceilings_of_its_own_beside_those_that_are_known(
    campaign: Campaign, folder: SweepFolder, tiny: ModuleType
) -> None:
    first = tiny.tiny_point(1)
    campaign([first])
    _, events = campaign([replace(first, precision="bfloat16")])
    assert jobs(events) == ["generate", "ceilings", "measure"]
    found = read_ceilings(folder.root, tiny.ENVIRONMENT.environment_id, first.placement)
    assert found is not None
    assert found.precisions == {"float32", "bfloat16"}


def test_nothing_is_measured_where_the_ranks_find_another_environment_than_the_driver(
    folder: SweepFolder, tiny: ModuleType
) -> None:
    before = replace(tiny.ENVIRONMENT, facts={"machine": "old"}, environment_id="f" * 16)
    options = Options(seed=3, worker_module="tiny_worker")
    with pytest.raises(SaihError, match="in another environment than this command was started in"):
        run(folder, [tiny.tiny_point(1)], folder.root, before, lambda _event: None, options)
    assert read_records(folder) == ((), ())


def test_failed_points_run_again_only_when_asked(campaign: Campaign, tiny: ModuleType) -> None:
    point = tiny.tiny_point(1, "fails")
    campaign([point])
    result, events = campaign([point], is_retrying_failed=True)
    assert result.num_measured == 1
    assert result.states[point.point_id].num_attempts == 2
    assert jobs(events) == ["generate", "measure"]


def test_a_point_that_keeps_losing_its_ranks_is_left_alone_after_the_limit(
    campaign: Campaign, tiny: ModuleType
) -> None:
    point = tiny.tiny_point(1, "killed")
    result, _ = campaign([point, tiny.tiny_point(2)], max_lost=2)
    state = result.states[point.point_id]
    assert (state.status, state.num_lost) == (PointStatus.PENDING, 2)
    assert result.num_measured == 1


def test_silent_ranks_are_ended_and_the_point_has_timed_out(
    campaign: Campaign, folder: SweepFolder, tiny: ModuleType
) -> None:
    point = tiny.tiny_point(1, "hangs")
    result, _ = campaign([point], silence_limit_s=6.0)
    state = result.states[point.point_id]
    assert (state.status, state.outcome) == (PointStatus.FAILED, Outcome.TIMED_OUT)
    assert tiny.processes_naming(str(folder.root)) == []


def test_what_the_worker_reports_as_its_error_is_raised(campaign: Campaign, tiny: ModuleType) -> None:
    with pytest.raises(EnvironmentMissing, match="no data here") as caught:
        campaign([tiny.tiny_point(1, "no data")])
    assert caught.value.remedy == "bring some."


def test_a_worker_that_cannot_start_is_an_error_with_its_last_words(
    campaign: Campaign, tiny: ModuleType
) -> None:
    with pytest.raises(SaihError, match="No module named no_such_worker") as caught:
        campaign([tiny.tiny_point(1)], worker_module="no_such_worker")
    assert "job-1.log" in caught.value.remedy


def test_ranks_that_never_came_to_work_are_an_error_though_the_launcher_ends_well(
    campaign: Campaign, tiny: ModuleType
) -> None:
    with pytest.raises(SaihError, match=r"exit status 0.*Hello world!(?s:.)*saih doctor"):
        campaign([tiny.tiny_point(1)], worker_module="__hello__")


def test_damaged_results_are_measured_again_and_never_believed(
    campaign: Campaign, folder: SweepFolder, tiny: ModuleType
) -> None:
    point = tiny.tiny_point(1)
    campaign([point])
    path = folder.path / point.point_id / "attempt-1" / "outcome.json"
    path.write_bytes(path.read_bytes()[:-10])
    result, _ = campaign([point])
    assert result.states[point.point_id].status is PointStatus.COMPLETED
    (record,), (damage,) = read_records(folder)
    assert record.attempt == 2
    assert str(path) in damage.problem


def test_the_order_is_shuffled_by_the_seed_and_kept_by_what_is_left(tiny: ModuleType) -> None:
    points = [tiny.tiny_point(width) for width in range(1, 30)]

    def order(seed: int, some: Sequence[Point]) -> list[Point]:
        return sorted(some, key=lambda point: order_key(seed, point))

    assert order(1, points) != points
    assert order(1, points) != order(2, points)
    assert order(1, points)[10:] == order(1, order(1, points)[10:][::-1])


def test_executions_of_one_problem_stay_beside_each_other(tiny: ModuleType) -> None:
    both = [
        replace(tiny.tiny_point(width), execution=one) for width in range(1, 30) for one in (REFERENCE, TUNED)
    ]
    ordered = sorted(both, key=lambda point: order_key(1, point))
    assert ordered != both
    for first, second in zip(ordered[::2], ordered[1::2], strict=True):
        assert first.problem == second.problem
        assert (first.execution, second.execution) == (REFERENCE, TUNED)
