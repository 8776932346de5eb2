"""Pipelines of real processes over gloo: what they answer, what a failure leaves, and who waits for whom."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.energon.pipeline_stage import NUM_SUMS, TINY

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PROGRAM = "tests.workloads.energon.pipeline_ranks"
PATIENCE_S = 300
LENGTHS = [[3], [1, 4], [2, 2, 2], [9], [1], [5, 1], [1, 1], [7], [3, 2], [2]]
SHAPES = [(1, 4), (2, 2), (3, 1)]
"""Ranks that share a stage, and stages."""
NUM_LARGE = 3_000_000
"""Rows whose hidden states, 72 MB, fit into no rank that has little memory."""
FAULTS = {
    # Command: rank of the engine, counted from the end where negative, and where it fails.
    1: (0, "begin"),
    2: (0, "middle"),
    3: (-1, "begin"),
    4: (-1, "gather"),
    5: (1, "middle"),
    6: (-1, "end"),
    7: (-1, "middle"),
    8: (-1, "lost"),
}


def ranks_found(
    folder: Path, shape: tuple[int, int], parts: Sequence[Mapping[str, Any]], dead: int | None = None
) -> list[Any]:
    """What each rank found, part by part; one may die in the last."""
    tensor_parallel, stages = shape
    asked = {"tensor_parallel": tensor_parallel, "pipeline_parallel": stages, "parts": parts}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(rank), str(folder / "store"), json.dumps(asked)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(tensor_parallel * stages)
    ]
    try:
        ends = [process.communicate(timeout=PATIENCE_S) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    told = [f"rank {rank}: {out}\n{err}" for rank, (out, err) in enumerate(ends)]
    found = [[json.loads(line) for line in out.splitlines()] for out, _ in ends]
    counts = [len(parts) - (rank == dead) for rank in range(len(started))]
    assert [len(each) for each in found] == counts, "\n".join(told)
    return found


def expected_rows(key: int, stages: int) -> list[list[float]]:
    first = key + stages * NUM_SUMS
    return [
        [float(first + row + column) for column in range(TINY.vocab_size)] for row in range(sum(LENGTHS[key]))
    ]


def faults_of(num_ranks: int) -> dict[str, dict[str, str]]:
    return {str(key): {str(rank % num_ranks): place} for key, (rank, place) in FAULTS.items()}


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"tp{shape[0]}-pp{shape[1]}")
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[tuple[int, int], list[Any]]:
    """Ranks that share a stage, and stages; what all ranks found in five ways to serve, and in exchanges."""
    shape = request.param
    num_ranks = shape[0] * shape[1]
    parts = [
        {"part": "serve", "lengths": LENGTHS},
        {"part": "serve", "lengths": LENGTHS, "num_buffers": 1},
        {"part": "serve", "lengths": LENGTHS, "is_blocking": True, "faults": faults_of(num_ranks)},
        {"part": "serve", "lengths": LENGTHS, "faults": faults_of(num_ranks)},
        {"part": "serve", "lengths": LENGTHS[:3], "faults": {"1": {str(num_ranks - 1): "rows"}}},
        {"part": "exchange"},
        {"part": "serve", "lengths": [[3], [NUM_LARGE], [1]], "poor": {"1": num_ranks - 1}},
    ]
    return shape, ranks_found(tmp_path_factory.mktemp("ranks"), shape, parts)


def test_requests_of_all_lengths_are_answered_rightly_and_in_order(served: Any) -> None:
    (tensor_parallel, stages), found = served
    expected = [
        {"key": key, "rows": expected_rows(key, stages), "failure": ""} for key in range(len(LENGTHS))
    ]
    for part in (0, 1):
        for rank, parts in enumerate(found):
            is_last = rank // tensor_parallel == stages - 1
            assert parts[part]["answers"] == (expected if is_last else [])


@pytest.mark.parametrize("part", [2, 3], ids=["blocking", "non-blocking"])
def test_a_failure_on_one_rank_fails_its_request_alone_and_is_told_by_all_that_answer(
    served: Any, part: int
) -> None:
    (tensor_parallel, stages), found = served
    num_ranks = tensor_parallel * stages
    for parts in found[-tensor_parallel:]:
        answers = parts[part]["answers"]
        assert [answer["key"] for answer in answers] == list(range(len(LENGTHS)))
        for key, answer in enumerate(answers):
            if key in FAULTS:
                rank, place = FAULTS[key]
                assert answer["rows"] is None
                assert answer["failure"] == (
                    f"MemoryError: nothing left at the {place} (rank {rank % num_ranks})"
                )
            else:
                assert answer["rows"] == expected_rows(key, stages)


def test_the_meter_is_told_of_every_part_of_every_pass(served: Any) -> None:
    (tensor_parallel, stages), found = served
    for rank, parts in enumerate(found):
        told, stage = parts[0]["told"], rank // tensor_parallel
        is_last = stage == stages - 1
        exchanges = 0 if tensor_parallel == 1 else NUM_SUMS + is_last
        assert told.count("compute") == len(LENGTHS) * (exchanges + 1)
        waits, exchanged = len(LENGTHS) * (stage > 0), len(LENGTHS) * (exchanges + 1 + (stage > 0))
        if is_last:
            assert (told.count("wait"), told.count("communication")) == (waits, exchanged)
        else:  # and what it waits for the next stage to take
            assert told.count("wait") >= waits
            assert told.count("communication") >= exchanged + len(LENGTHS)


def test_sums_and_gathers_of_all_sizes_are_right_and_sums_have_the_same_bits_everywhere(served: Any) -> None:
    (tensor_parallel, stages), found = served
    for stage in range(stages):
        mates = [parts[5] for parts in found[stage * tensor_parallel : (stage + 1) * tensor_parallel]]
        assert all(is_right for exchanges in mates for is_right, _ in exchanges)
        assert all(exchanges == mates[0] for exchanges in mates)


@pytest.fixture(scope="module")
def two_stages(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What two stages found, each of one rank: with credits, and with tensors of wrong sizes."""
    faults = {"1": {"0": "shape"}, "2": {"0": "part"}, "3": {"1": "part"}}
    parts = [
        {"part": "credit", "num_buffers": 1},
        {"part": "credit", "num_buffers": 4},
        {"part": "serve", "lengths": LENGTHS[:5], "faults": faults},
        {"part": "lose", "dead": 1},
    ]
    return ranks_found(tmp_path_factory.mktemp("ranks"), (1, 2), parts, dead=1)


@pytest.mark.parametrize("part", [0, 1], ids=["one buffer", "four buffers"])
def test_as_many_messages_as_buffers_wait_and_each_that_starts_lets_one_more_come(
    two_stages: list[Any], part: int
) -> None:
    assert two_stages[1][part] == [True, True]


def test_rows_of_a_wrong_size_are_told_and_never_sent(two_stages: list[Any]) -> None:
    good, *bad, last = two_stages[1][2]["answers"]
    assert [answer["failure"].partition(":")[0] for answer in bad] == ["ValueError"] * 3
    assert "stage made [4, 6]" in bad[0]["failure"]
    assert "part of [5, 6]" in bad[1]["failure"]
    assert bad[2]["failure"].endswith("(rank 1)")
    assert good["rows"] == expected_rows(0, 2)
    assert last["rows"] == expected_rows(4, 2)


def test_ranks_of_one_group_that_want_to_gather_different_sizes_end_in_a_failure(served: Any) -> None:
    (tensor_parallel, stages), found = served
    for parts in found[-tensor_parallel:]:
        before, disagreed, behind = parts[4]["answers"]
        if tensor_parallel > 1:
            sizes = ", ".join([*["5"] * (tensor_parallel - 1), "4"])
            assert f"want to gather [{sizes}] rows" in disagreed["failure"]
        assert [before["rows"], behind["rows"]] == [expected_rows(key, stages) for key in (0, 2)]


def test_a_rank_that_dies_in_a_pass_leaves_nobody_waiting(tmp_path: Path) -> None:
    found = ranks_found(tmp_path, (2, 2), [{"part": "lose", "dead": 1}], dead=1)
    texts = [parts[0] for rank, parts in enumerate(found) if rank != 1]
    assert all(text.startswith("LinkError: ") for text in texts)
    assert "ranks [0, 1] of a stage is lost" in texts[0]


def test_a_stage_learns_that_the_one_behind_it_died(two_stages: list[Any]) -> None:
    assert two_stages[0][-1].startswith("LinkError: the connection to rank 1 is lost")


def test_a_pass_for_which_one_rank_has_no_memory_at_all_fails_alone(served: Any) -> None:
    (tensor_parallel, stages), found = served
    last = tensor_parallel * stages - 1
    for parts in found[-tensor_parallel:]:
        before, failed, behind = parts[6]["answers"]
        assert "can't allocate memory" in failed["failure"]
        assert failed["failure"].endswith(f"(rank {last})")
        assert before["rows"] == [
            [float(stages * NUM_SUMS + row + column) for column in range(7)] for row in range(3)
        ]
        assert behind["rows"] == [[float(2 + stages * NUM_SUMS + column) for column in range(7)]]
