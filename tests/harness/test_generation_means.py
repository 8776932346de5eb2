"""Ranks of a real MPI job share a universe by the means that the harness gives them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cosmology.generation import complete
from tests.harness.meaning_ranks import DEFINITION

LIMIT_S = 120


@pytest.mark.slow
def test_ranks_have_equal_means_and_share_a_universe_by_them(tmp_path: Path) -> None:
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    program = [sys.executable, "-m", "mpi4py", "-m", "tests.harness.meaning_ranks", str(tmp_path / "two")]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    done = subprocess.run(
        [*ranks, *program],
        env={**os.environ, **allowed, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["memory_bytes"] == second["memory_bytes"]
    assert 0 < first["memory_bytes"] < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
    assert any("on ranks 0 to 1" in text for each in (first, second) for text in each["told"])
    complete(DEFINITION, tmp_path / "one", 0, 1, lambda _: None)
    universes = [
        (
            tmp_path / name / f"universes-{DEFINITION.universes.universes_id}" / "universe-000000.h5"
        ).read_bytes()
        for name in ("one", "two")
    ]
    assert universes[0] == universes[1]
