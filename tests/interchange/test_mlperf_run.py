import json

import pytest

from saih.domain.errors import DamagedData
from saih.interchange.mllog import parse
from saih.interchange.mlperf_run import Run, StagingPlace, runs_of
from tests.interchange.mlperf_logs import line, run_lines


def runs(lines: list[str]) -> tuple[Run, ...]:
    return runs_of(parse("\n".join(lines).encode(), "log"), "log")


def test_rates_are_samples_over_the_training_part_of_each_epoch() -> None:
    (run,) = runs(run_lines([10, 5, 5, 20], samples=1000))
    assert run.rates == pytest.approx((100, 200, 200, 50))
    assert run.slow_epochs == (4,)
    assert run.time_to_train_ms == pytest.approx(1e3 * (10 + 40 + 4))
    assert run.slow_share == pytest.approx((20 - 7.5) / 54)
    assert run.quality == pytest.approx(0.125)
    assert (run.num_nodes, run.gpus_per_node, run.global_batch, run.num_ranks) == (2, 4, 8, None)


@pytest.mark.parametrize(
    ("is_inside", "place", "time_s"),
    [(True, StagingPlace.INSIDE, 10 + 6), (False, StagingPlace.OUTSIDE, 6)],
)
def test_staging_is_inside_or_outside_by_the_order_of_events(
    *, is_inside: bool, place: StagingPlace, time_s: float
) -> None:
    (run,) = runs(run_lines([5], is_staging_inside=is_inside))
    assert run.staging_place is place
    assert run.staging_ms == pytest.approx(10e3)
    assert run.time_to_train_ms == pytest.approx(time_s * 1e3)


def test_a_log_without_staging_says_nothing_of_it() -> None:
    (run,) = runs([text for text in run_lines([5]) if "staging" not in text])
    assert (run.staging_place, run.staging_ms, run.staging_share) == (StagingPlace.UNTOLD, None, None)


def test_the_order_of_lines_and_repeated_events_change_nothing() -> None:
    lines = run_lines([10, 5, 6])
    later_first = sorted(lines, key=lambda text: -json.loads(text.split(" ", 1)[1])["time_ms"])
    assert runs(later_first) == runs(lines)
    assert runs([text for text in lines for _ in range(3)])[0] == runs(lines)[0]


def test_runs_that_follow_each_other_in_one_log_are_told_apart() -> None:
    found = runs(run_lines([10, 5]) + run_lines([4], begin_s=1000))
    assert [run.rates for run in found] == [pytest.approx((100, 200)), pytest.approx((250,))]
    assert [run.source for run in found] == ["log, run 1", "log, run 2"]


def test_instances_that_ran_at_once_are_told_apart() -> None:
    lines = [
        text
        for pair in zip(
            run_lines([10, 5], metadata={"instance": 0}),
            run_lines([4, 4], metadata={"instance": 1}),
            strict=True,
        )
        for text in pair
    ]
    assert [run.rates for run in runs(lines)] == [pytest.approx((100, 200)), pytest.approx((250, 250))]


def test_what_a_run_does_after_its_end_is_not_part_of_it() -> None:
    after = [line(500, "epoch_start", epoch_num=9), line(501, "eval_start", epoch_num=9)]
    (run,) = runs([*run_lines([10]), *after])
    (alone,) = runs(run_lines([10]))
    assert (run.rates, run.time_to_train_ms, run.quality) == (
        alone.rates,
        alone.time_to_train_ms,
        alone.quality,
    )
    assert run.later_rates == pytest.approx((1000,))


def test_epochs_without_an_end_are_counted_and_not_averaged() -> None:
    lines = [
        text for text in run_lines([10, 5, 6]) if not ("eval_start" in text and '"epoch_num": 2' in text)
    ]
    lines = [text for text in lines if not ("epoch_stop" in text and '"epoch_num": 2' in text)]
    (run,) = runs(lines)
    assert len(run.epochs) == 2
    assert run.num_unended == 1


def test_a_run_that_was_cut_off_keeps_its_epochs_and_has_no_time_to_train() -> None:
    (run,) = runs(run_lines([10, 5])[:-1])
    assert len(run.rates) == 2
    assert (run.time_to_train_ms, run.status, run.slow_share) == (None, "", None)


def test_two_values_of_one_size_are_refused_with_their_lines() -> None:
    lines = [*run_lines([10]), line(0, "global_batch_size", 16)]
    with pytest.raises(DamagedData, match=rf"lines 7 and {len(lines)} .* global_batch_size: 8 and 16"):
        runs(lines)


@pytest.mark.parametrize("value", [-1, 0, 2.5, "many", True, [1]])
def test_sizes_that_are_no_counts_are_refused(value: object) -> None:
    with pytest.raises(DamagedData, match=r"train_samples is .* not a count"):
        runs([line(0, "train_samples", value), line(0, "run_start")])
