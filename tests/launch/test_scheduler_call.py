"""Calls of a scheduler's commands."""

import subprocess
import sys

import pytest

from saih.launch.scheduler_call import call

AS_FIRST = (
    "import os; from saih.launch.scheduler_call import call; print(os.getpid(), call(['echo', 'said']).out)"
)


def test_a_command_is_heard() -> None:
    answer = call(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (answer.status, answer.out, answer.err) == (3, "out\n", "err\n")


def test_a_command_is_heard_by_the_first_process_of_a_container() -> None:
    space = ("unshare", "--user", "--map-root-user", "--pid", "--fork")
    if subprocess.run([*space, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody make a process namespace")
    done = subprocess.run(
        [*space, sys.executable, "-c", AS_FIRST], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "said"]
