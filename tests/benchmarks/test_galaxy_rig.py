"""Devices of benchmarks are removed, by the next benchmark where their own was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.galaxy_rig import ROOT, devices
from tools.edge_testbed_parts.run_folder import VARIABLE

pytestmark = pytest.mark.slow
HELD = """
import time
from benchmarks.galaxy_rig import devices
with devices(("a", "b"), 100.0):
    print("up", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_benchmark_left_is_removed_before_the_next_and_what_lives_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "beds"
    monkeypatch.setenv(VARIABLE, str(folder))
    started = []
    try:
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "-c", HELD], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            started.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        killed, living = started
        killed.kill()
        killed.wait()
        with devices(("a",), 100.0):
            there = {path.name for path in folder.iterdir()}
            assert there == {f"bench{living.pid}", f"bench{os.getpid()}"}
        assert {path.name for path in folder.iterdir()} == {f"bench{living.pid}"}
    finally:
        for process in started:
            process.kill()
            process.communicate()
        with devices(("a",), 100.0):
            pass
    assert list(folder.iterdir()) == []
