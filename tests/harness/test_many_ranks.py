import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("many_ranks.py")


def run(num_ranks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_btl": "^ofi",
    }
    launcher = Path(sys.executable).with_name("mpirun")
    command = [str(launcher), "-n", str(num_ranks), "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    command += [sys.executable, "-m", "mpi4py", str(PROGRAM), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("num_ranks", [2, 4, 8])
def test_what_ranks_bring_together_on_rank_0_is_what_each_of_them_had(num_ranks: int) -> None:
    done = run(num_ranks)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all hold\n"


def test_a_rank_that_stays_away_leaves_nobody_waiting_for_ever() -> None:
    done = run(4, "stay-away")
    assert done.returncode == 7
    assert '"ok": true' in done.stdout
    assert "Traceback" not in done.stderr
