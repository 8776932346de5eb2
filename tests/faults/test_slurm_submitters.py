"""Whoever submits a sweep at the same time, or is killed at it: every point is in one live job at most."""

import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster
from slurm_counting import FaultySweep, random_pause, words_of
from slurm_sweep import ask

pytestmark = pytest.mark.slow

POINTS = [{"width": width, "duration_s": 0.2} for width in range(1, 7)]


@pytest.fixture
def sweep(cluster: SlurmCluster, tmp_path: Path) -> FaultySweep:
    return FaultySweep(cluster=cluster, root=tmp_path / "sweep")


def told(capsys: pytest.CaptureFixture[str], what: str, counts: Counter[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {words_of(counts)}\n")


def test_three_submitters_at_once(sweep: FaultySweep, capsys: pytest.CaptureFixture[str]) -> None:
    ask(sweep.root, POINTS, num_batches=2)
    commands = [sweep.start() for _ in range(3)]
    said = [command.communicate(timeout=120)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert 0 in codes, said
    assert set(codes) <= {0, 1, 2}, said
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    assert sweep.no_point_in_two_batches(), said
    assert counts["attempts"] == len(POINTS)
    told(capsys, f"three submitters, exits {sorted(codes)}", counts)


def test_submitters_killed_at_any_moment(sweep: FaultySweep, capsys: pytest.CaptureFixture[str]) -> None:
    ask(sweep.root, POINTS, num_batches=2)
    chance, kills = random.Random(2), 0
    for _ in range(8):
        command = sweep.start()
        random_pause(chance, 1.5)
        kills += command.poll() is None
        command.kill()
        command.communicate()
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, f"submitter killed {kills} times", counts)
