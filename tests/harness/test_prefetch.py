import os
import threading
import time
from pathlib import Path

import pytest

from saih.harness.prefetch import Prefetch
from saih.harness.usage import cache_state


def loaders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "loader"]


def test_batches_come_in_order_with_the_time_they_took() -> None:
    def produce(step: int) -> int:
        time.sleep(0.02)
        return step * step

    with Prefetch(produce) as prefetch:
        taken = [prefetch.take() for _ in range(4)]
    assert [batch for batch, _ in taken] == [0, 1, 4, 9]
    assert all(produce_ns >= 20_000_000 for _, (produce_ns, *_) in taken)


def test_batches_are_made_ahead_but_not_without_bound() -> None:
    made: list[int] = []
    with Prefetch(made.append, depth=2) as prefetch:
        deadline = time.monotonic() + 5
        while len(made) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert made == [0, 1]
        prefetch.take()
    assert not loaders()


def test_an_exception_of_the_loader_reaches_the_step_loop_after_the_batches_before_it() -> None:
    def produce(step: int) -> int:
        if step == 2:
            raise OSError("the file is gone")
        return step

    with Prefetch(produce) as prefetch:
        assert [prefetch.take()[0] for _ in range(2)] == [0, 1]
        with pytest.raises(OSError, match="the file is gone"):
            prefetch.take()


def test_a_loader_that_hangs_does_not_hide_an_error_of_the_step() -> None:
    release = threading.Event()

    def take_then_fail() -> None:
        with Prefetch(lambda step: release.wait(30)):
            raise ValueError("the step failed")

    begin = time.monotonic()
    with pytest.raises(ValueError, match="the step failed"):
        take_then_fail()
    assert time.monotonic() - begin < 5
    release.set()


def test_bytes_read_by_the_loader_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(bytes(100_000))
    with Prefetch(lambda step: path.read_bytes(), depth=1) as prefetch:
        prefetch.take()
    reading = prefetch.reading
    assert reading is not None
    assert reading.asked_bytes >= 100_000
    assert cache_state(reading) == "warm"  # just written, so in the page cache


def test_short_steps_find_as_few_batches_ahead_as_long_ones() -> None:
    made: list[int] = []
    with Prefetch(made.append, depth=2) as prefetch:
        for _ in range(20):
            prefetch.take()
        time.sleep(0.2)
        assert len(made) == 22


def test_the_loader_takes_no_core_from_a_step_when_it_wakes_up() -> None:
    policies: list[int] = []
    with Prefetch(lambda step: policies.append(os.sched_getscheduler(0))) as prefetch:
        prefetch.take()
        (loader,) = prefetch.thread_ids
        assert os.sched_getscheduler(loader) == os.SCHED_BATCH
    assert policies[0] == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
