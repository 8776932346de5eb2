import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from saih.harness.batch_bytes import batch_bytes
from saih.harness.prefetch import BURST, MOST_AHEAD_BYTES, Prefetch
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


def test_short_steps_are_served_in_bursts_of_bounded_length() -> None:
    made: list[int] = []
    with Prefetch(made.append, depth=2) as prefetch:
        for _ in range(20):
            prefetch.take()
        time.sleep(0.2)
        assert 20 + BURST <= len(made) <= 20 + 2 * BURST


def test_batches_that_fill_the_memory_come_one_by_one_however_short_the_steps() -> None:
    made: list[int] = []

    def produce(step: int) -> tuple[np.ndarray, dict[str, list[np.ndarray]]]:
        made.append(step)
        half = MOST_AHEAD_BYTES // (2 * BURST) // 2
        return np.zeros(half, np.uint8), {"more": [np.zeros(half // 4 + 1, np.float32)]}

    with Prefetch(produce, depth=2) as prefetch:
        for _ in range(20):
            prefetch.take()
        deadline = time.monotonic() + 30
        while len(made) < 22 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert len(made) == 22


def test_the_memory_of_a_batch_is_that_of_all_its_parts() -> None:
    @dataclass
    class Batch:
        grids: torch.Tensor
        targets: tuple[np.ndarray, ...]

    batch = Batch(grids=torch.zeros(10, 10), targets=(np.zeros(5), np.zeros(3, np.int8)))
    assert batch_bytes({"first": batch, "second": [torch.zeros(7, dtype=torch.int64)]}) == 400 + 40 + 3 + 56
