"""Engines whose ranks die, hang or never come up: an error names who, for everybody, and nothing is left."""

import math
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from augment.problem import ProblemError
from tests.workloads.energon.stand_in import PATIENCE_S, TINY, Ask, Start, is_running, stand_ins, until
from workloads.energon import roll_call
from workloads.energon.engine import Engine, launch
from workloads.energon.errors import EngineDead, LaunchError
from workloads.transformer.errors import WeightError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def loaded(engine: Engine) -> list[Future[torch.Tensor]]:
    """Requests in flight behind one that hangs on rank 1, and others in the queue."""
    futures = [engine.submit([[Ask.HANG, 1]])]
    return futures + [engine.submit([[1]]) for _ in range(20)]


def assert_dead(engine: Engine, futures: list[Future[torch.Tensor]], message: str) -> None:
    for future in futures:
        with pytest.raises(EngineDead, match=message):
            future.result(PATIENCE_S)
    with pytest.raises(EngineDead, match=message):
        engine.submit([[1]])
    engine.close()
    assert not any(is_running(pid) for pid in engine.pids)
    assert engine.stats.queued == engine.stats.in_flight == 0


@pytest.mark.parametrize(("rank", "stages"), [(0, 1), (3, 2)])
def test_a_killed_rank_is_named_and_every_request_is_answered(rank: int, stages: int) -> None:
    engine = stand_ins(tensor_parallel=2, pipeline_parallel=stages)
    futures = loaded(engine)
    os.kill(engine.pids[rank], signal.SIGKILL)
    assert_dead(engine, futures, f"rank {rank} of {2 * stages} .* was killed by SIGKILL")


def test_an_idle_engine_notices_a_death_too() -> None:
    engine = stand_ins()
    os.kill(engine.pids[0], signal.SIGTERM)
    until(lambda: "rank 0 of 1" in engine.death)
    assert_dead(engine, [], "SIGTERM")


def test_the_last_words_of_a_rank_are_told() -> None:
    engine = stand_ins(tensor_parallel=2)
    assert_dead(
        engine,
        [engine.submit([[Ask.CRASH, 1]])],
        "(?s)rank 1 of 2 .* status 1. Last words:.*a bug of this rank",
    )


def test_last_words_are_in_the_error_and_the_log_and_not_in_what_everybody_may_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = stand_ins()
    with pytest.raises(EngineDead) as caught:
        engine.submit([[Ask.CRASH, 0]]).result(PATIENCE_S)
    engine.close()
    assert "a bug of this rank" in caught.value.words
    assert caught.value.told == engine.death
    assert engine.death.startswith("rank 0 of 1 ")
    assert "bug" not in engine.death
    (record,) = caplog.records
    assert "a bug of this rank" in record.getMessage()


def test_a_rank_that_hangs_is_named_after_the_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "_CALL_S", PATIENCE_S)  # all ranks answer sooner or later
    engine = stand_ins(tensor_parallel=2, request_limit_s=2.0)
    # On a very busy machine the other rank may not have come to its wait yet.
    message = (
        r"no request was finished within 2 s \(request_limit_s\): ranks? (0, )?1 of 2 did not come to an end"
    )
    assert_dead(engine, loaded(engine), message)


def test_a_rank_that_is_stopped_is_named_after_the_stated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_call, "_CALL_S", 0.1)
    engine = stand_ins(request_limit_s=0.1)
    os.kill(engine.pids[0], signal.SIGSTOP)
    assert_dead(engine, [engine.submit([[1]])], "rank 0 of 1 did not answer")


def test_a_fork_is_told_that_the_engine_is_not_its_own_and_leaves_it_alone() -> None:
    program = (
        "import os\n"
        "from tests.workloads.energon.stand_in import stand_ins\n"
        "from workloads.energon.errors import EngineClosed\n"
        "engine = stand_ins()\n"
        "forked = os.fork()\n"
        "if not forked:\n"
        "    try: engine.submit([[1]])\n"
        "    except EngineClosed as error: os.write(1, str(error).encode())\n"
        "    engine.close()\n"
        "    raise SystemExit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 7\n"
        "print(*engine.submit([[4]]).result().tolist())\n"
        "engine.close()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert "launch one here" in ended.stdout
    assert ended.stdout.endswith("8\n")


def test_a_rank_that_aborts_is_told_from_those_that_miss_it() -> None:
    engine = stand_ins(tensor_parallel=2)
    assert_dead(engine, [engine.submit([[Ask.ABORT, 0]])], "rank 0 of 2 .* SIGABRT")


def test_closing_an_engine_that_hangs_ends_in_bounded_time() -> None:
    engine = stand_ins()
    futures = [engine.submit([[Ask.HANG, 0]]), engine.submit([[1]])]
    os.kill(engine.pids[0], signal.SIGSTOP)
    engine.close(0.1)
    assert not any(is_running(pid) for pid in engine.pids)
    assert all(future.exception(0) for future in futures)


def test_ranks_end_when_their_controller_is_killed_even_in_a_collective() -> None:
    program = (
        "import os, threading\n"
        "from tests.workloads.energon.stand_in import Ask, stand_ins\n"
        "engine = stand_ins(tensor_parallel=2)\n"
        "engine.submit([[Ask.HANG, 1]])\n"
        "forked = os.fork()  # holds on to whatever the controller holds\n"
        "if forked: print(*engine.pids, forked, flush=True)\n"
        "threading.Event().wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        *pids, forked = map(int, caller.stdout.readline().split())
        assert len(pids) == 2
        assert all(map(is_running, pids))
        caller.kill()
        try:
            until(lambda: not any(is_running(pid) for pid in pids))
        finally:
            os.kill(forked, signal.SIGKILL)


def test_a_rank_that_cannot_load_is_heard_and_nothing_is_left() -> None:
    before = children()
    with pytest.raises(WeightError, match=r"^layer.0.mlp.up.weight holds NaN \(rank 1\)$"):
        stand_ins(tensor_parallel=2, seed=Start.BAD_WEIGHTS)
    with pytest.raises(LaunchError, match=r"rank 0 of 1 .* exit status 9 without a word"):
        stand_ins(seed=Start.WITHOUT_A_WORD)
    with pytest.raises(LaunchError, match="1 of 1 workers were not ready in time"):
        stand_ins(seed=Start.NEVER, start_timeout_s=0.5)
    assert children() == before


def test_what_cannot_be_launched_is_refused_before_anything_starts(tmp_path: Path) -> None:
    before = children()
    with pytest.raises(ProblemError, match="heads of keys and values"):
        launch(TINY, tensor_parallel=3)
    with pytest.raises(LaunchError, match="use cpu or cuda"):
        launch(TINY, device="tpu")
    with pytest.raises(LaunchError, match="float32"):
        launch(TINY, dtype="float8")
    for wrong, message in {
        "max_queued": (0, "max_queued is 0; give 1 or more"),
        "num_buffers": (-9, "num_buffers is -9"),
        "cache_bytes": (-1, "cache_bytes is -1; give 0 or more"),
        "threads_per_rank": (0, "threads_per_rank is 0; give 1"),
        "start_timeout_s": (math.nan, "start_timeout_s is nan; give seconds above 0"),
        "request_limit_s": (0.0, "request_limit_s is 0.0"),
        "layer_costs": ([1.0, math.nan], "a layer costs nan"),
    }.items():
        with pytest.raises(LaunchError, match=message[1]):
            launch(TINY, **{wrong: message[0]})  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(LaunchError, match="threads_per_rank is 1000000; give 1024 or less"):
        launch(TINY, threads_per_rank=10**6)
    with pytest.raises(WeightError):
        launch(tmp_path)
    assert children() == before


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
