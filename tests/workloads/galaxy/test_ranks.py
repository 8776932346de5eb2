"""Devices as real processes over TCP: they answer what one device does, and nobody waits for a killed one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PROGRAM = "tests.workloads.galaxy.galaxy_ranks"
PATIENCE_S = 200
KILLED = -9
NUM_FAMILIES = 4


def ranks_found(
    folder: Path, strategies: Sequence[str], speeds: Sequence[float], dies: int = -1, dies_after: int = 0
) -> list[Any]:
    """What each device printed; None of one that was killed."""
    asked = {
        "strategies": strategies,
        "speeds": speeds,
        "num_tiles": 3,
        "dies": dies,
        "dies_after": dies_after,
    }
    started = [
        subprocess.Popen(
            [sys.executable, "-m", PROGRAM, str(rank), str(folder / "store"), json.dumps(asked)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(len(speeds))
    ]
    try:
        ends = [process.communicate(timeout=PATIENCE_S) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()
    codes = [process.returncode for process in started]
    assert codes == [KILLED if rank == dies else 0 for rank in range(len(speeds))], ends
    return [json.loads(out) if out else None for out, _ in ends]


@pytest.mark.parametrize(
    ("strategies", "speeds"),
    [
        (["local", "hybrid"], [1.0]),
        (["hybrid", "tensor"], [2.0, 1.0]),
        (["hybrid", "tensor", "sequence", "pipeline"], [1.0, 5.0, 2.0]),
        (["hybrid", "sequence"], [1.0, 1.0, 1.0, 1.0]),
    ],
    ids=["one", "two", "three", "four"],
)
def test_processes_answer_what_one_device_answers(
    tmp_path: Path, strategies: list[str], speeds: list[float]
) -> None:
    first, *others = ranks_found(tmp_path, strategies, speeds)
    assert len(first) == len(strategies) * NUM_FAMILIES
    for found in first:
        assert len(found["errors"]) == 2
        assert max(found["errors"]) < 1e-9
    assert all(found["is_greedy"] for device in (first, *others) for found in device)


@pytest.mark.parametrize("strategy", ["hybrid", "pipeline"])
def test_all_others_notice_that_one_was_killed(tmp_path: Path, strategy: str) -> None:
    found = ranks_found(tmp_path, [strategy], [1.0, 1.0, 1.0], dies=1, dies_after=9)
    assert found[1] is None
    for rank in (0, 2):
        assert "device" in found[rank]["lost"]
