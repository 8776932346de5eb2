"""What the benchmark of killed generation counts."""

import random
import signal
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import pytest

from benchmarks.forked_ranks import started
from benchmarks.generation_kills import kill_some


def sleep() -> None:
    time.sleep(600)


@pytest.fixture
def processes() -> Iterator[list[BaseProcess]]:
    at_work = [started(sleep) for _ in range(2)]
    yield at_work
    for process in at_work:
        process.kill()
        process.join()


@pytest.mark.slow
def test_two_that_are_killed_at_once_are_one_moment(processes: list[BaseProcess]) -> None:
    seed = next(seed for seed in range(99) if random.Random(seed).randint(1, 2) == 2)
    moments = kill_some(processes, random.Random(seed))
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [-signal.SIGKILL] * 2
    assert moments + kill_some(processes, random.Random(seed)) == 1
