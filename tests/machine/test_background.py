import os
import threading

import torch

from saih.machine.background import GLOO_WAITING, gloo_threads, newer_gloo_threads_step_back, step_back
from saih.machine.mpi import MPI
from saih.machine.process_group import process_group


def policies(threads: frozenset[int]) -> set[int]:
    return {os.sched_getscheduler(thread) for thread in threads}


def test_only_the_thread_that_is_told_to_steps_back() -> None:
    policies: list[int] = []

    def run() -> None:
        step_back()
        policies.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert policies == [os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_thread_that_does_not_exist_is_no_error() -> None:
    step_back(2**22 + 1)  # above the greatest number that Linux gives


def test_only_the_newer_threads_of_gloo_step_back() -> None:
    with process_group(MPI.COMM_SELF, torch.device("cpu"), 30.0):
        first = newer_gloo_threads_step_back(frozenset())
        assert first
        assert policies(first) == {os.SCHED_BATCH}
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
    others = gloo_threads(GLOO_WAITING)
    with process_group(MPI.COMM_SELF, torch.device("cpu"), 30.0):
        newer = newer_gloo_threads_step_back(others)
        assert newer
        assert newer.isdisjoint(others)
        assert gloo_threads(GLOO_WAITING) >= newer


def test_where_no_thread_of_gloo_is_begun_nobody_waits_long() -> None:
    assert newer_gloo_threads_step_back(gloo_threads(GLOO_WAITING)) == frozenset()
