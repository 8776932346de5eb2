import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.interchange.mlperf_hpc import read_system
from saih.interchange.mlperf_point import (
    CHANNELS,
    DEPTH,
    RESOLUTION,
    TRAINING_FLOP_PER_SAMPLE,
    WIDTH,
)
from tests.interchange.mlperf_logs import line, run_lines, write_log
from workloads import catalog


def test_the_flop_of_the_reference_network_are_those_that_the_workload_counts() -> None:
    problem = Problem(
        data=Shape.of({"samples": 64, "resolution": RESOLUTION, "channels": CHANNELS}),
        model=Shape.of({"width": WIDTH, "depth": DEPTH}),
    )
    cost = catalog.workload("cosmoflow").cost(problem, batch_per_rank=1, precision="float32")
    counted = sum(one.flops for one in cost.operations if one.kind != "elementwise")
    assert counted == TRAINING_FLOP_PER_SAMPLE


def submission(root: Path, name: str = "examplon_n2", **description: str) -> Path:
    folder = root / "Example" / "results" / name / "strong" / "cosmoflow"
    write_log(folder / "result_1.txt", run_lines([10, 5, 5]))
    write_log(folder / "result_2.txt", run_lines([5, 5, 4], begin_s=5000))
    systems = root / "Example" / "systems"
    systems.mkdir(parents=True, exist_ok=True)
    (systems / f"{name}.json").write_text(json.dumps(description))
    return folder


def test_each_run_is_a_point_with_the_median_over_its_epochs(tmp_path: Path) -> None:
    folder = submission(tmp_path, accelerator_model_name="NVIDIA A100", accelerators_per_node="4")
    system = read_system(folder, "examplon")
    first, second = system.points
    assert [point.samples_per_s.value for point in system.points] == pytest.approx([200, 200])
    assert first.key == second.key
    assert first.samples_per_s.count == 3
    assert first.flops_per_s is not None
    assert first.flops_per_s.value == pytest.approx(200 * 192.09078528e9)
    assert (first.num_nodes, first.num_gpus, first.num_ranks, first.global_batch) == (2, 8, 8, 8)
    assert first.record_id == "examplon_n2/strong/cosmoflow/result_1.txt"
    assert first.share_of_peak is None
    assert dict(first.key)["batch_per_rank"] == "1"
    assert first.step_ns is not None
    assert first.step_ns.value == pytest.approx(8 / 200 * 1e9)
    assert system.kind == "mlperf"
    assert system.facts["accelerator"] == "NVIDIA A100"
    assert system.facts["share of the maker's peak [%]"] == "1.54"
    assert system.facts["runs"] == "2"


def test_cautions_say_what_is_not_comparable(tmp_path: Path) -> None:
    said = " ".join(read_system(submission(tmp_path), "examplon").cautions)
    for words in (
        "not an official MLPerf score",
        "trademarks of MLCommons",
        "do not tell the precision",
        "128^3 x 4",
        "holds the staging of the data",
        "took more than 1.5 x",
    ):
        assert words in said


def test_folders_make_points_of_their_own(tmp_path: Path) -> None:
    submission(tmp_path, "small")
    write_log(tmp_path / "Example/results/large/cosmoflow/result_1.txt", run_lines([2, 2], nodes=4))
    points = read_system(tmp_path, "both").points
    assert [(point.num_nodes, point.samples_per_s.value) for point in points] == [
        (4, 500),
        (2, 200),
        (2, 200),
    ]


def test_submissions_that_ask_the_same_are_said_to_be_mixed(tmp_path: Path) -> None:
    submission(tmp_path, "first")
    assert not any("taken for repeats" in text for text in read_system(tmp_path, "x").cautions)
    submission(tmp_path, "second")
    assert any("up to 2 submissions" in text for text in read_system(tmp_path, "x").cautions)


def test_what_is_unknown_stays_unknown_and_is_said(tmp_path: Path) -> None:
    log = write_log(tmp_path / "result_1.txt", run_lines([5, 5], nodes=None, gpus=None))
    system = read_system(log, "unknown")
    (point,) = system.points
    assert (point.num_nodes, point.num_gpus, point.num_ranks) == (None, None, None)
    assert sum("is told neither by the logs" in caution for caution in system.cautions) == 3
    (point,) = read_system(log, "given", nodes=16, gpus_per_node=8).points
    assert (point.num_nodes, point.num_gpus, point.num_ranks) == (16, 128, 128)


def test_logs_that_cannot_be_read_are_named_and_the_others_count(tmp_path: Path) -> None:
    folder = submission(tmp_path)
    (folder / "result_3.txt").write_text(':::MLLOG {"cut')
    system = read_system(folder, "examplon")
    assert len(system.points) == 2
    assert "line 1" in system.failed[0]
    assert "result_3.txt" in system.failed[0]


def test_a_folder_of_damaged_logs_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "a.txt", [':::MLLOG {"cut'])
    with pytest.raises(DamagedData, match="line 1"):
        read_system(tmp_path, "x")


def test_runs_of_different_sizes_in_one_folder_ask_different_questions(tmp_path: Path) -> None:
    write_log(tmp_path / "a.txt", run_lines([5, 5], nodes=2))
    write_log(tmp_path / "b.txt", run_lines([5, 5], nodes=4))
    assert len({point.key for point in read_system(tmp_path, "x").points}) == 2


def test_runs_without_an_epoch_are_named_and_the_others_count(tmp_path: Path) -> None:
    write_log(tmp_path / "a.txt", run_lines([]))
    write_log(tmp_path / "b.txt", run_lines([5, 5]))
    system = read_system(tmp_path, "x")
    assert len(system.points) == 1
    assert "a.txt: no epoch" in system.failed[0]
    (tmp_path / "b.txt").unlink()
    with pytest.raises(DamagedData, match=r"no run .* tells how fast it was"):
        read_system(tmp_path, "x")


@pytest.mark.parametrize("content", ["", "no event\n", '{"json": 1}'])
def test_a_folder_without_a_log_of_cosmoflow_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(UsageError, match="no MLPerf log of cosmoflow"):
        read_system(tmp_path, "x")


def test_other_benchmarks_are_left_out(tmp_path: Path) -> None:
    write_log(tmp_path / "a.txt", [text.replace("cosmoflow", "deepcam") for text in run_lines([5])])
    with pytest.raises(UsageError, match="no MLPerf log of cosmoflow"):
        read_system(tmp_path, "x")


def test_a_description_that_is_hostile_describes_nothing(tmp_path: Path) -> None:
    folder = submission(tmp_path)
    for content in ("[" * 10_000, '{"accelerators_per_node": {}, "number_of_nodes": "\\u0661"}', "x", "[]"):
        (tmp_path / "Example/systems/examplon_n2.json").write_text(content)
        assert read_system(folder, "x").facts["accelerator"] == "not told by the log"


def test_no_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no log or folder"):
        read_system(tmp_path / "nothing", "x")


KEYS = (
    "run_start", "run_stop", "epoch_start", "epoch_stop", "eval_start", "block_start", "block_stop",
    "staging_start", "staging_stop", "train_samples", "global_batch_size", "number_of_nodes",
    "accelerators_per_node", "number_of_ranks", "eval_error", "submission_benchmark", "init_start",
)  # fmt: skip
odd = st.sampled_from(
    [None, True, 0, 1, -1, 8, 1000, 10**400, 1e-320, 1e308, 0.5, "cosmoflow", "8", "\x1b[31m", [], {}, [[1]]]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KEYS),
            st.integers(-5, 100),
            odd,
            st.dictionaries(st.sampled_from(["epoch_num", "instance", "epoch_count", "status"]), odd),
        ),
        max_size=12,
    )
)
def test_odd_events_are_read_or_refused_and_never_a_surprise(
    tmp_path: Path, odd_events: list[tuple[str, int, object, dict[str, object]]]
) -> None:
    lines = [line(time_s, key, value, **metadata) for key, time_s, value, metadata in odd_events]
    log = write_log(tmp_path / "log.txt", [*run_lines([5, 5, 5]), *lines])
    try:
        system = read_system(log, "x")
    except SaihError:
        return
    assert all(point.samples_per_s.low > 0 for point in system.points)
    assert system.cautions
