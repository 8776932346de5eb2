"""Jobs that Slurm ends before their points are done go on where they were."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster_fixture import SlurmCluster, wait_until
from slurm_counting import FaultySweep, words_of
from slurm_sweep import ask

pytestmark = pytest.mark.slow


def points(duration_s: float, number: int = 6, nodes: int = 1) -> list[dict[str, Any]]:
    return [{"width": width, "duration_s": duration_s, "nodes": nodes} for width in range(1, number + 1)]


@pytest.fixture
def sweep(cluster: SlurmCluster, tmp_path: Path) -> FaultySweep:
    return FaultySweep(cluster=cluster, root=tmp_path / "sweep")


def told(capsys: pytest.CaptureFixture[str], what: str, counts: Counter[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {words_of(counts)}\n")


def only_job(sweep: FaultySweep) -> str:
    (line,) = sweep.queue()
    return line.split()[0]


def test_a_cancelled_job_stays_away_until_it_is_asked_for(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(sweep.root, points(0.8))
    sweep.submit()
    sweep.wait_until_begun(2)
    job = only_job(sweep)
    sweep.cluster.call("scancel", job)
    sweep.wait_for_end()
    done = len(sweep.completed())
    assert done < 6
    assert sweep.cluster.state(job) == "CANCELLED"
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, f"cancelled after {done} points", counts)


def test_a_preempted_job_comes_back_by_itself(sweep: FaultySweep, capsys: pytest.CaptureFixture[str]) -> None:
    ask(sweep.root, points(1.0, nodes=2))
    sweep.submit()
    sweep.wait_until_begun(2)
    job = only_job(sweep)
    sweep.cluster.call("srun", "--partition=high", "--nodes=4", "--exclusive", "--time=1", "true")
    wait_until(lambda: sweep.cluster.job(job)["Restarts"] == "1", 30, sweep.story)
    sweep.wait_for_end()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    told(capsys, "preempted", counts)


def test_a_job_near_its_time_limit_stops_and_goes_on_in_a_later_one(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(sweep.root, points(5.0, number=8), notice_s=40.0)
    sweep.submit()
    sweep.wait_until_begun()
    job = only_job(sweep)
    # A limit is given in minutes; the end of a running job can be moved closer. Slurm looks every 30 s.
    sweep.cluster.call("scontrol", "update", f"JobId={job}", "EndTime=now+45")
    wait_until(lambda: not sweep.queue() or sweep.cluster.job(job)["Restarts"] == "1", 60, sweep.story)
    sweep.wait_for_end()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    assert sweep.cluster.state(job) == "COMPLETED"
    told(capsys, "near its time limit", counts)


def test_a_start_that_lives_on_behind_a_cut_link_does_not_count(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str]
) -> None:
    """It still sees the files; the later start has taken its points over."""
    ask(sweep.root, points(6.0, number=8))
    sweep.submit()
    sweep.wait_until_begun()
    job = only_job(sweep)
    node = sweep.cluster.job(job)["BatchHost"]
    first = sweep.driver()
    assert first is not None
    os.kill(first, signal.SIGSTOP)  # a driver that still runs would end its ranks before they publish
    sweep.cluster.cut(node)
    wait_until(lambda: sweep.driver() != first, 60, sweep.story)
    sweep.wait_until_completed(len(sweep.completed()) + 2)
    sweep.cluster.heal(node)
    sweep.wait_for_end()
    sweep.finish()
    counts = sweep.require_all_measured_once()
    sweep.require_nothing_left()
    assert counts["superseded"] == 1
    told(capsys, "cut off while two starts ran at once", counts)


def test_a_point_that_takes_too_much_memory_leaves_the_others_alone(
    sweep: FaultySweep, capsys: pytest.CaptureFixture[str]
) -> None:
    greedy = {"width": 99, "fault": "greedy"}
    ask(sweep.root, [*points(0.2, number=3), greedy], starter="srun", options=["--mem=800M"])
    sweep.submit()
    rounds = sweep.finish()
    counts = sweep.require_all_measured_once(failed=frozenset({"greedy"}))
    sweep.require_nothing_left()
    told(capsys, f"out of memory ({sweep.reason_of('greedy')}), {rounds} submissions after", counts)
    assert counts["explained"] == 1
    assert sweep.reason_of("greedy").startswith("failed, out_of_memory: ")
