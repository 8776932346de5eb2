"""Engines as their callers see them: real processes, whose ranks are stand-ins."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

import pytest
import torch

from tests.workloads.energon.stand_in import GATE, PATIENCE_S, Ask, is_running, stand_ins, until
from workloads.energon.engine import Engine
from workloads.energon.errors import EngineClosed, QueueFull, RequestFailed
from workloads.transformer.errors import RequestError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with stand_ins(tensor_parallel=2, pipeline_parallel=2, max_queued=16) as running:
        yield running


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The end of a pipe from which requests that wait get a byte each."""
    pipe = tmp_path_factory.mktemp("gate") / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # to read, too, so that opening does not wait for a reader
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(GATE, str(pipe))
        yield descriptor
    os.close(descriptor)


@pytest.fixture(scope="module")
def one(gate: int) -> Iterator[Engine]:
    del gate  # it must be there before
    with stand_ins(max_queued=2) as running:
        yield running


def filled(engine: Engine) -> list[Future[torch.Tensor]]:
    """As many requests as there can be, in flight and in the queue; the first one waits at the gate."""
    num_in_flight = engine.plan.pipeline_parallel + engine.plan.num_buffers
    first = engine.submit([[Ask.WAIT, 0]])
    return [first, *(engine.submit([[n]]) for n in range(1, num_in_flight + 2))]


def test_each_request_gets_its_own_answer_from_four_ranks(engine: Engine) -> None:
    futures = [engine.submit([[n % 100, 9], [n // 100]]) for n in range(200)]
    for n, future in enumerate(futures):
        assert future.result(PATIENCE_S).tolist() == [2 * (n % 100), 18, 2 * (n // 100)]


def test_many_threads_may_ask_at_once(engine: Engine) -> None:
    answers: dict[int, list[list[int]]] = {}

    def ask(first: int) -> None:
        answers[first] = [engine.submit([[first, n]]).result(PATIENCE_S).tolist() for n in range(40)]

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert answers == {first: [[2 * first, 2 * n] for n in range(40)] for first in range(10, 16)}
    assert engine.stats.queued == engine.stats.in_flight == 0


def test_a_request_that_fails_on_the_ranks_fails_alone(engine: Engine) -> None:
    failing, good = engine.submit([[Ask.FAIL, 0]]), engine.submit([[4, 0]])
    with pytest.raises(RequestFailed, match="ValueError: as asked"):
        failing.result(PATIENCE_S)
    assert good.result(PATIENCE_S).tolist() == [8, 0]


def test_a_bad_request_is_refused_at_once_and_the_engine_goes_on(engine: Engine) -> None:
    before = engine.stats
    with pytest.raises(RequestError, match="token id 200"):
        engine.submit([[200]])
    with pytest.raises(RequestError, match="empty"):
        asyncio.run(engine.asubmit([[]]))
    assert engine.stats == before
    assert engine.submit([[5]]).result(PATIENCE_S).tolist() == [10]


def test_answers_larger_than_any_buffer_arrive_whole(one: Engine) -> None:
    rows = [one.submit([[Ask.WIDE]]) for _ in range(3)]
    assert [future.result(PATIENCE_S).shape for future in rows] == [(1 << 23,)] * 3
    del rows


def test_a_full_queue_refuses_or_waits_as_the_caller_says(one: Engine, gate: int) -> None:
    futures = filled(one)
    with pytest.raises(QueueFull, match="2 requests wait already"):
        one.submit([[1]], timeout_s=0.0)
    with pytest.raises(QueueFull):
        one.submit([[1]], timeout_s=0.01)
    with pytest.raises(QueueFull):
        asyncio.run(one.asubmit([[1]], timeout_s=0.01))
    os.write(gate, b"!")
    assert one.submit([[1]], timeout_s=PATIENCE_S).result(PATIENCE_S).tolist() == [2]
    assert [future.result(PATIENCE_S).tolist()[0] for future in futures[1:]] == [2, 4, 6, 8, 10, 12]


def test_a_full_queue_never_holds_up_the_callback_of_an_answer(one: Engine, gate: int) -> None:
    refused: Future[bool] = Future()

    def ask_again(_: Future[torch.Tensor]) -> None:
        try:
            while True:
                one.submit([[1]])
        except QueueFull:
            refused.set_result(True)

    one.submit([[Ask.WAIT, 0]]).add_done_callback(ask_again)
    os.write(gate, b"!")
    assert refused.result(PATIENCE_S)
    until(lambda: one.stats.in_flight == 0)


def test_what_waits_in_the_queue_can_be_cancelled_and_what_is_worked_on_cannot(
    one: Engine, gate: int
) -> None:
    futures = filled(one)
    num_cancelled = one.stats.cancelled
    assert not futures[0].cancel()
    assert futures[-1].cancel()
    with pytest.raises(CancelledError):
        futures[-1].result()
    late = one.submit([[1]], timeout_s=0.0)  # on the place that came free
    os.write(gate, b"!")
    assert late.result(PATIENCE_S).tolist() == [2]
    assert not wait(futures, PATIENCE_S).not_done
    assert one.stats.cancelled == num_cancelled + 1


def test_an_event_loop_asks_for_much_at_once_and_can_give_up(one: Engine, gate: int) -> None:
    async def ask() -> list[list[int]]:
        tasks = [asyncio.create_task(one.asubmit([[Ask.WAIT, n]])) for n in [0] + [9] * 11]
        impatient = asyncio.create_task(one.asubmit([[9]]))
        await asyncio.sleep(0)
        impatient.cancel()
        os.write(gate, b"!")
        rows = await asyncio.gather(*tasks)
        with pytest.raises(asyncio.CancelledError):
            await impatient
        return [each.tolist() for each in rows]

    assert asyncio.run(ask()) == [[212, 0]] + [[212, 18]] * 11
    until(lambda: one.stats.in_flight == one.stats.queued == 0)
    assert one.submit([[1]], timeout_s=0.0).result(PATIENCE_S).tolist() == [2]


def test_an_event_loop_that_was_closed_keeps_no_place_and_gives_none_back_twice(
    one: Engine, gate: int
) -> None:
    filled(one)
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(one.asubmit([[9]])) for _ in range(5)]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    os.write(gate, b"!")
    assert one.submit([[1]], timeout_s=PATIENCE_S).result(PATIENCE_S).tolist() == [2]
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is wanted
        task.get_coro().close()  # type: ignore[union-attr]  # as when it is forgotten
    until(lambda: one.stats.in_flight == one.stats.queued == 0)
    filled(one)
    with pytest.raises(QueueFull):
        one.submit([[1]], timeout_s=0.0)
    os.write(gate, b"!")
    until(lambda: one.stats.in_flight == one.stats.queued == 0)


def test_memory_stays_flat_over_thousands_of_requests_and_cancellations(one: Engine) -> None:
    def ask(num: int) -> None:
        pending: set[Future[torch.Tensor]] = set()
        for n in range(num):
            future = one.submit([[n % 100] * 32])
            pending.add(future)
            if n % 3 == 0:
                future.cancel()
            if len(pending) > 20:
                pending = wait(pending, PATIENCE_S, FIRST_COMPLETED).not_done
        wait(pending, PATIENCE_S)

    ask(1000)
    gc.collect()  # of what tests before this one left
    before = [rss_bytes(pid) for pid in (os.getpid(), *one.pids)]
    num_before = len(gc.get_objects())
    ask(6000)
    gc.collect()
    after = [rss_bytes(pid) for pid in (os.getpid(), *one.pids)]
    # One kept tensor and future a request would be more than 1 kB each.
    assert all(later - earlier < 6 << 20 for earlier, later in zip(before, after, strict=True))
    assert len(gc.get_objects()) - num_before < 1000


def rss_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_closing_answers_what_was_admitted_then_ends_every_rank_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_INS_CLOSED", str(tmp_path))
    engine = stand_ins(tensor_parallel=2)
    futures = [engine.submit([[n]]) for n in range(40)]
    engine.close(PATIENCE_S)
    assert [future.result(0).item() for future in futures] == [2 * n for n in range(40)]
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1"}
    assert not any(is_running(pid) for pid in engine.pids)
    engine.close()
    with pytest.raises(EngineClosed):
        engine.submit([[1]])
    with pytest.raises(EngineClosed):
        asyncio.run(engine.asubmit([[1]]))
    assert "closed" in engine.death


def test_an_engine_that_nobody_holds_any_more_ends_its_ranks() -> None:
    engine = stand_ins()
    assert engine.submit([[1]]).result(PATIENCE_S).tolist() == [2]
    (pid,) = engine.pids
    del engine
    gc.collect()
    until(lambda: not is_running(pid))


def test_a_program_that_forgets_to_close_ends_and_leaves_no_process() -> None:
    program = (
        "from tests.workloads.energon.stand_in import stand_ins\n"
        "engine = stand_ins()\n"
        "print(*engine.pids, *engine.submit([[3]]).result().tolist())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    *pids, answer = map(int, ended.stdout.split())
    assert answer == 6
    until(lambda: not any(is_running(pid) for pid in pids))
    assert not ended.stderr


def test_a_program_that_has_closed_its_own_streams_gets_its_answer() -> None:
    program = (
        "import os\n"
        "os.close(0), os.close(2)\n"
        "from tests.workloads.energon.stand_in import stand_ins\n"
        "with stand_ins(tensor_parallel=2) as engine: print(*engine.submit([[3]]).result().tolist())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.stdout == "6\n"


def test_two_engines_run_beside_each_other(one: Engine) -> None:
    with stand_ins(pipeline_parallel=2) as other:
        futures = [running.submit([[n]]) for n in range(20) for running in (one, other)]
        assert [future.result(PATIENCE_S).item() for future in futures] == [2 * (n // 2) for n in range(40)]
    assert one.submit([[1]]).result(PATIENCE_S).item() == 2
