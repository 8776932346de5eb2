import os
import threading
from pathlib import Path

import torch

from saih.machine.background import GLOO_WAITING, gloo_steps_back, step_back
from saih.machine.mpi import MPI
from saih.machine.process_group import process_group


def waiting_threads() -> list[int]:
    names = Path("/proc/self/task").glob("*/comm")
    return [int(name.parent.name) for name in names if name.read_text().strip() == GLOO_WAITING]


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


def test_the_threads_of_gloo_that_wait_step_back_where_a_group_is_made() -> None:
    with process_group(MPI.COMM_SELF, torch.device("cpu"), 30.0):
        waiting = waiting_threads()
        assert waiting
        assert {os.sched_getscheduler(thread) for thread in waiting} == {os.SCHED_BATCH}
        assert gloo_steps_back() == len(waiting)
        assert os.sched_getscheduler(0) == os.SCHED_OTHER
