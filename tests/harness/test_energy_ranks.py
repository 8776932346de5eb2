import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saih.domain.energy import CountedEnergy, EnergyPart, counted_energy

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("energy_ranks.py")
STEP_J = 1.5


def test_two_ranks_of_a_node_count_its_energy_once_and_without_the_warm_up(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    launcher = Path(sys.executable).with_name("mpirun")
    command = [str(launcher), "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    command += [sys.executable, "-m", "mpi4py", str(PROGRAM), str(tmp_path)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    energy = counted_energy(said["notes"])
    assert isinstance(energy, CountedEnergy), energy
    assert sum(energy.block_steps) == said["num_steps"] == 600
    assert energy.joules_of[EnergyPart.PACKAGES] == pytest.approx(600 * STEP_J, rel=1e-9)
    assert energy.source == "rapl"
    assert energy.coverage.startswith("CPU packages of 1 of 1 node; GPUs 0; no memory, network")
    assert "the nodes were not reserved whole" in energy.coverage
