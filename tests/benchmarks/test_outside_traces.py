import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def wait_until(is_so: Callable[[], bool], limit_s: float = 60.0) -> bool:
    deadline = time.monotonic() + limit_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    return is_so()


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outside_is_left_after_a_signal(number: signal.Signals) -> None:
    holder = subprocess.Popen(
        [sys.executable, str(HERE / "outside_holder.py"), "600"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        made = json.loads(holder.stdout.readline())
        # A user without rights makes nothing, and is told why.
        assert made["keepers"] or made["reason"]
        assert all(Path(group).is_dir() for group in made["groups"])
        assert not any(is_gone(keeper) for keeper in made["keepers"])
        holder.send_signal(number)
        holder.wait()
    assert wait_until(lambda: all(is_gone(keeper) for keeper in made["keepers"]))
    assert wait_until(lambda: not any(Path(group).exists() for group in made["groups"]))
