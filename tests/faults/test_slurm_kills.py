"""Killing what a sweep needs under Slurm loses no point and measures none twice."""

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster_fixture import SlurmCluster, wait_until
from slurm_counting import FaultySweep, random_pause, words_of
from slurm_sweep import ask

pytestmark = pytest.mark.slow

NUM_POINTS = 8


def points(duration_s: float, nodes: int = 1, number: int = NUM_POINTS) -> list[dict[str, Any]]:
    return [{"width": width, "duration_s": duration_s, "nodes": nodes} for width in range(1, number + 1)]


@pytest.fixture
def sweep(cluster: SlurmCluster, tmp_path: Path) -> FaultySweep:
    return FaultySweep(cluster=cluster, root=tmp_path / "sweep")


def told(capsys: pytest.CaptureFixture[str], what: str, counts: Counter[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {words_of(counts)}\n")


def test_a_driver_killed_again_and_again(sweep: FaultySweep, capsys: pytest.CaptureFixture[str]) -> None:
    """The script then ends with 137, so that the job is over: the same command submits what is left."""
    ask(sweep.root, points(0.8))
    chance, kills = random.Random(1), 0
    for _ in range(4):
        before = sweep.driver()
        sweep.submit()
        wait_until(lambda before=before: sweep.driver() != before or not sweep.queue(), 30, sweep.story)
        random_pause(chance, 9.0)
        driver = sweep.driver()
        if sweep.queue() and driver is not None and sweep.cluster.processes("slurm_driver", str(sweep.root)):
            sweep.cluster.kill_process(driver)
            kills += 1
        sweep.wait_for_end()
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, f"driver killed {kills} times", counts)
    assert kills > 0


@pytest.mark.parametrize("starter", ["mpirun", "srun"])
def test_a_killed_rank_costs_its_attempt_only(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str], starter: str
) -> None:
    ask(sweep.root, points(1.0, nodes=2, number=3), starter=starter)
    sweep.submit()
    sweep.wait_until_begun()
    wait_until(lambda: len(sweep.ranks()) >= 2, 20, sweep.story)
    sweep.cluster.kill_process(sweep.ranks()[-1])
    sweep.finish()
    counts = sweep.require_all_measured_once()
    told(capsys, f"rank killed, {starter}", counts)


@pytest.mark.parametrize("what", ["slurmd", "node"])
def test_a_node_that_fails_has_its_job_go_on_elsewhere(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """With slurmd alone gone, the ranks of the first start go on, and must not count."""
    ask(sweep.root, points(2.0, number=4) if what == "node" else points(5.0))
    sweep.submit()
    sweep.wait_until_begun()
    job = sweep.queue()[0].split()[0]
    node = sweep.cluster.job(job)["BatchHost"]
    if what == "node":
        sweep.cluster.kill_node(node)
    else:
        sweep.cluster.kill_slurmd(node)
    wait_until(lambda: not sweep.queue() or sweep.cluster.job(job)["Restarts"] == "1", 60, sweep.story)
    rounds = sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, f"{what} killed, {rounds} submissions after", counts)


def test_a_controller_that_forgets_the_job(sweep: FaultySweep, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed before it wrote its state down: the job runs on, and Slurm's word for it is wrong."""
    ask(sweep.root, points(0.5))
    sweep.submit()
    sweep.wait_until_begun()
    sweep.cluster.hurt["controller"] = "start-controller"
    sweep.cluster.tool("kill-controller")
    sweep.wait_until_completed(3)
    sweep.cluster.start_controller()
    rounds = sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, f"slurmctld killed, {rounds} submissions after", counts)


def test_a_command_while_the_controller_is_down(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str]
) -> None:
    """It waits for the controller, and submits once."""
    ask(sweep.root, points(0.1))
    sweep.cluster.kill_controller()
    command = sweep.start()
    with pytest.raises(Exception, match="timed out"):
        command.wait(4)
    sweep.cluster.start_controller()
    _, said = command.communicate(timeout=120)
    sweep.finish()
    counts = sweep.require_all_measured_once()
    assert sweep.no_point_in_two_batches()
    told(capsys, f"submitted while slurmctld was down, exit {command.returncode}", counts)
    assert command.returncode in {0, 1}, said
