"""What several hosts must have in common before anything is timed: data and the pace of their clocks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from saih.harness.host_clocks import different_rates

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("seats_ranks.py")


def run(*arguments: object) -> str:
    environ = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    command = [str(Path(sys.executable).with_name("mpirun")), "-n", "2", "--map-by", "slot:OVERSUBSCRIBE"]
    command += ["--bind-to", "none", sys.executable, str(PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


def test_hosts_that_share_data_and_time_are_accepted_and_their_clocks_noted(tmp_path: Path) -> None:
    assert "over 2 hosts" in run(tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_data_folder_that_each_host_has_for_itself_is_named(tmp_path: Path) -> None:
    for rank in (0, 1):
        (tmp_path / f"data-{rank}" / "set").mkdir(parents=True)
    assert "over 2 hosts" in run(tmp_path / "data")  # equal copies are well for measuring
    for rank in (0, 1):
        problem = f"rank {rank}: host1 has a data folder"
        assert problem in run(tmp_path / "data", "generate")
    (tmp_path / "data-1" / "set" / "shard").write_text("x")
    assert "rank 0: host1 has a data folder" in run(tmp_path / "data")


def test_a_clock_that_runs_faster_is_named(tmp_path: Path) -> None:
    told = run(tmp_path / "data", "measure", "1.2")
    assert "by the clock of host1" in told
    assert "durations on them do not compare" in told


def test_clocks_within_two_percent_count_as_equal() -> None:
    assert different_rates({"a": 10**9, "b": round(1.019e9)}) == ""
    assert "of b" in different_rates({"a": 10**9, "b": round(1.021e9)})
