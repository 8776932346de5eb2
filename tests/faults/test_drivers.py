"""Drivers that meet, and drivers that are asked to stop."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from saih.store.sweep_folder import SweepFolder, read_records

pytestmark = pytest.mark.slow
LIMIT_S = 60.0


def start(driver_path: Path, root: Path, num_points: int, duration_s: float) -> subprocess.Popen[str]:
    command = [sys.executable, str(driver_path), str(root), str(num_points), str(duration_s), "0.5"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for(path: Path, pattern: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not list(path.glob(pattern)):
        assert time.monotonic() < deadline, f"{pattern} never came"
        time.sleep(0.02)


def test_a_second_driver_is_refused_and_told_who_runs_the_sweep(
    tmp_path: Path, tiny: ModuleType, driver_path: Path
) -> None:
    first = start(driver_path, tmp_path, 1, 600.0)
    wait_for(tmp_path, "killed/*/attempt-1")
    second = start(driver_path, tmp_path, 1, 600.0)
    _, words = second.communicate(timeout=LIMIT_S)
    assert second.returncode == 2
    assert f"is being run already by process {first.pid} on " in words
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=LIMIT_S)
    assert json.loads((tmp_path / "killed" / "lock").read_text())["pid"] == first.pid
    assert tiny.processes_naming(str(tmp_path)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_asked_to_stop_cleans_up_and_the_next_one_continues(
    tmp_path: Path, tiny: ModuleType, driver_path: Path, number: signal.Signals
) -> None:
    driver = start(driver_path, tmp_path, 3, 1.0)
    wait_for(tmp_path, "killed/*/attempt-1/outcome.json")
    os.kill(driver.pid, number)
    _, words = driver.communicate(timeout=LIMIT_S)
    assert driver.returncode == 128 + number
    assert "every finished point is kept" in words
    assert tiny.processes_naming(str(tmp_path)) == []
    before, _ = read_records(SweepFolder(tmp_path, "killed"))
    assert 1 <= len(before) < 3
    again = start(driver_path, tmp_path, 3, 1.0)
    again.communicate(timeout=LIMIT_S)
    after, damages = read_records(SweepFolder(tmp_path, "killed"))
    assert (again.returncode, len(after), damages) == (0, 3, ())
    assert all(record in after for record in before)
