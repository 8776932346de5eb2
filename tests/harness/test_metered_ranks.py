import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("metered_ranks.py")
EXTRA_NS = 30e6
"""Processor time that the program adds to each step of the last rank."""


@pytest.mark.slow
def test_the_critical_path_of_real_ranks_adds_up_and_finds_the_work_of_one() -> None:
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*ranks, sys.executable, "-m", "mpi4py", str(PROGRAM)],
        env={**os.environ, **allowed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["gap"] <= 1  # the parts sum to the step of the rank that decides it, to the ns
    assert found["smallest"] >= -1
    assert {"work_on_cpu", "produce_on_cpu", "produce_storage_bytes"} <= set(found["meters"])
    few, much = found["on_cpu_ns"]
    assert much >= EXTRA_NS * found["num_steps"]
    assert much > few  # processor time, whoever else uses the machine
    assert found["imbalance_ns"] > 0
