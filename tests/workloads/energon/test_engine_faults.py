"""Engines whose ranks die, hang or never come up: an error names who, for everybody, and nothing is left."""

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
        engine, [engine.submit([[Ask.CRASH, 1]])], "(?s)rank 1 of 2 .* status 1; .*a bug of this rank"
    )


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
    with pytest.raises(WeightError):
        launch(tmp_path)
    assert children() == before


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
