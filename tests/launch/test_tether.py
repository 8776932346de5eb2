import os
import select
import signal
import subprocess
import sys

import pytest

DRIVER = """
import subprocess, sys, os
from saih.launch import tether
started = subprocess.Popen(
    [sys.executable, "-c", SHORT, str(int(SIGNAL)), str(os.getpid()), sys.executable, "-c", COMMAND],
    start_new_session=True,
)
started.wait()
"""
SHORT = "import sys; from saih.launch import tether; tether.GRACE_S = 0.5; tether.main(sys.argv[1:])"
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    time.sleep(600)
print(os.getpid(), child, flush=True)
time.sleep(600)
"""
ENDS = "print(7, flush=True)"
LIMIT_S = 60.0


def drive(command: str, names: dict[str, object]) -> subprocess.Popen[str]:
    program = DRIVER
    for name, value in ({"SHORT": SHORT, "SIGNAL": int(signal.SIGTERM), "COMMAND": command} | names).items():
        program = program.replace(name, repr(value))
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def has_ended(end: int) -> bool:
    return bool(select.select([end], [], [], LIMIT_S)[0])


@pytest.mark.slow
def test_a_launcher_that_outlives_a_killed_driver_is_killed_with_its_ranks() -> None:
    driver = drive(STUBBORN, {})
    assert driver.stdout is not None
    ends = [os.pidfd_open(int(pid)) for pid in driver.stdout.readline().split()]
    try:
        assert len(ends) == 2
        driver.kill()
        assert all(has_ended(end) for end in ends)
        assert driver.stdout.read() == ""  # nobody holds the pipe any more
    finally:
        driver.communicate()
        for end in ends:
            os.close(end)


@pytest.mark.slow
def test_whoever_watches_holds_nothing_open_and_ends_with_the_command() -> None:
    driver = drive(ENDS, {})
    output, _ = driver.communicate(timeout=LIMIT_S)
    assert (output, driver.returncode) == ("7\n", 0)
