"""Ranks of one replica as processes: they meet, or say by name what keeps them from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
PATIENCE_S = 120
PROGRAM = """
import os, sys
from pathlib import Path
import torch
from torch import distributed
from augment.problem import ProblemError
from workloads.galaxy.seat import open_seat
from workloads.protocol import Degrees, Surroundings

rank, store, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.__version__ = version or torch.__version__
distributed.init_process_group("gloo", store=distributed.FileStore(store, 2), rank=rank, world_size=2)
surroundings = Surroundings(
    rank=rank, num_ranks=2, device="cpu", precision="float32", batch_per_rank=1, seed=1, data_folder=Path(),
    exchange=None, degrees=Degrees(tensor_parallel=2), connect=lambda: None,
)
try:
    open_seat(surroundings)
    print("met", flush=True)
except ProblemError as error:
    print(error, flush=True)
os._exit(0)
"""


def said_by_ranks(folder: Path, *versions: str) -> list[str]:
    """What two ranks say; a version in place of that of torch, or none."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), str(folder / "store"), version],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank, version in enumerate(versions)
    ]
    try:
        return [process.communicate(timeout=PATIENCE_S)[0].strip() for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def test_ranks_of_the_same_versions_meet(tmp_path: Path) -> None:
    assert said_by_ranks(tmp_path, "", "") == ["met", "met"]


def test_ranks_with_another_torch_are_refused_by_name_on_all_of_them(tmp_path: Path) -> None:
    own = torch.__version__.split("+")[0]
    (words,) = set(said_by_ranks(tmp_path, "", "1.2.3"))
    assert f"device 1 has torch 1.2.3 instead of {own}; install the same" in words
