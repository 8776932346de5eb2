"""The cluster of one machine can be hurt as a large one is, and gets well again."""

import pytest
from slurm_cluster_fixture import SlurmCluster, wait_until

pytestmark = pytest.mark.slow

GOES_ON = 'echo "start ${SLURM_RESTART_COUNT:-0} on $SLURMD_NODENAME"; exec sleep 300.25'


def beats(path: str) -> str:
    return f'while sleep 0.2; do echo "$SLURMD_NODENAME ${{SLURM_RESTART_COUNT:-0}}" >>{path}; done'


def test_a_node_without_power_loses_its_job_and_processes(cluster: SlurmCluster) -> None:
    job = cluster.submit(GOES_ON, "--time=5")
    wait_until(lambda: cluster.processes("sleep 300.25"), 10, lambda: cluster.log(job))
    node = cluster.job(job)["BatchHost"]
    cluster.kill_node(node)
    assert cluster.processes("sleep 300.25") == []
    cluster.wait_for_log(job, "start 1 on")
    assert cluster.job(job)["BatchHost"] != node
    cluster.start_node(node)
    assert cluster.call("srun", "-w", node, "hostname") == node


def test_a_silent_node_is_down_and_its_job_runs_elsewhere(cluster: SlurmCluster) -> None:
    job = cluster.submit(GOES_ON, "--time=5")
    cluster.wait_for_log(job, "start 0 on n")
    node = cluster.job(job)["BatchHost"]
    cluster.kill_slurmd(node)
    cluster.wait_for_log(job, "start 1 on")
    assert cluster.call("sinfo", "-hn", node, "-p", "main", "-o", "%T").startswith("down")
    assert cluster.job(job)["BatchHost"] != node


def test_on_a_node_that_was_cut_off_the_old_start_lives_on(cluster: SlurmCluster) -> None:
    path = cluster.folder.parent / "beats"
    job = cluster.submit(beats(str(path)), "--time=5")
    wait_until(path.exists, 10, lambda: cluster.log(job))
    node = cluster.job(job)["BatchHost"]
    cluster.cut(node)

    def both_beat() -> bool:
        return {line.split()[1] for line in path.read_text().splitlines()[-10:]} == {"0", "1"}

    wait_until(both_beat, 120, path.read_text)
    cluster.heal(node)
    wait_until(lambda: not both_beat(), 120, path.read_text)
    assert cluster.job(job)["Restarts"] == "1"


def test_jobs_outlive_a_crash_of_the_controller(cluster: SlurmCluster) -> None:
    job = cluster.submit("echo begun; sleep 8; echo ended", "--time=5")
    cluster.wait_for_log(job, "begun")
    cluster.kill_controller()
    assert cluster.attempt("squeue").returncode != 0
    cluster.start_controller()
    cluster.wait_for_log(job, "ended")
    assert cluster.call("sinfo", "-h", "-o", "%a", "-p", "main").startswith("up")
