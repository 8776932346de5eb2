"""Jobs on the cluster of one machine end as on a large one."""

import sys
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster

pytestmark = pytest.mark.slow

RANKS = Path(__file__).parent / "ranks.py"
MPIRUN = Path(sys.prefix) / "bin" / "mpirun"
AS_ROOT = "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
SAY_SIGNALS = """
trap 'echo asked by USR2' USR2
trap 'echo asked by TERM; exit 9' TERM
echo "start ${SLURM_RESTART_COUNT:-0}"
for second in $(seq 600); do sleep 0.1 & wait; done
"""


@pytest.mark.parametrize(
    "start", [f"{MPIRUN} -n 4 --map-by ppr:2:node", "srun --mpi=pmix -n 4"], ids=["mpirun", "srun"]
)
def test_ranks_of_one_world_sit_on_two_nodes(cluster: SlurmCluster, start: str) -> None:
    if not MPIRUN.exists():
        start = start.replace(str(MPIRUN), "mpirun")
    job = cluster.submit(
        f"{AS_ROOT}\n{start} {sys.executable} {RANKS}", "--nodes=2", "--ntasks-per-node=2", "--time=1"
    )
    assert cluster.wait_for_state(job)["JobState"] == "COMPLETED", cluster.log(job)
    lines = sorted(line for line in cluster.log(job).splitlines() if line.startswith("rank"))
    nodes = cluster.call("scontrol", "show", "hostnames", cluster.job(job)["NodeList"]).split()
    expected = [f"rank {rank} of 4 on {nodes[rank // 2]}, sum 6" for rank in range(4)]
    assert lines == expected, cluster.log(job)


def test_the_exit_code_of_a_script_reaches_accounting(cluster: SlurmCluster) -> None:
    job = cluster.submit("exit 75", "--time=1")
    assert cluster.wait_for_state(job)["ExitCode"] == "75:0"
    assert cluster.accounts(job, "state", "exitcode") == [["FAILED", "75:0"]]


def test_elements_of_an_array_end_each_for_itself(cluster: SlurmCluster) -> None:
    job = cluster.submit("exit $SLURM_ARRAY_TASK_ID", "--array=0-3%2", "--time=1")
    rows = sorted(cluster.accounts(job, "jobid", "state", "exitcode", num_rows=4))
    assert rows == [
        [f"{job}_{element}", "FAILED" if element else "COMPLETED", f"{element}:0"] for element in range(4)
    ]


def test_a_job_waits_for_another_and_goes_when_that_failed(cluster: SlurmCluster) -> None:
    first = cluster.submit("sleep 1; exit 3", "--time=1")
    never = cluster.submit(
        "echo ran", f"--dependency=afterok:{first}", "--kill-on-invalid-dep=yes", "--time=1"
    )
    always = cluster.submit("echo ran", f"--dependency=afterany:{first}", "--time=1")
    assert cluster.wait_for_state(always)["JobState"] == "COMPLETED"
    assert cluster.wait_for_state(never)["JobState"] == "CANCELLED"
    assert "ran" in cluster.log(always)
    assert cluster.log(never) == ""


def test_a_requeued_job_starts_again(cluster: SlurmCluster) -> None:
    job = cluster.submit(f"{SAY_SIGNALS.replace('for', '[ ${SLURM_RESTART_COUNT:-0} = 1 ] && exit 0; for')}")
    cluster.wait_for_log(job, "start 0")
    cluster.call("scontrol", "requeue", job)
    assert cluster.wait_for_state(job)["Restarts"] == "1"
    assert "start 1" in cluster.log(job)


def test_jobs_of_the_high_partition_preempt_those_of_main(cluster: SlurmCluster) -> None:
    job = cluster.submit(SAY_SIGNALS, "--nodes=4", "--ntasks-per-node=2", "--time=5")
    cluster.wait_for_log(job, "start 0")
    assert cluster.call("srun", "--partition=high", "--time=1", "hostname") in {"n1", "n2", "n3", "n4"}
    cluster.wait_for_log(job, "start 1")
    assert "DUE TO PREEMPTION" in cluster.log(job)
    cluster.call("scancel", job)
    assert next(row[0] for row in cluster.accounts(job, "state", num_rows=2)) == "PREEMPTED"


def test_a_job_hears_of_its_time_limit_before_it_comes(cluster: SlurmCluster) -> None:
    job = cluster.submit(SAY_SIGNALS, "--time=5", "--signal=B:USR2@20")
    cluster.wait_for_log(job, "start 0")
    # A limit is given in minutes; the end of a running job can be moved closer.
    cluster.call("scontrol", "update", f"JobId={job}", "EndTime=now+22")
    assert cluster.wait_for_state(job, patience_s=90)["JobState"] == "TIMEOUT"
    said = [line for line in cluster.log(job).splitlines() if line.startswith("asked")]
    assert said == ["asked by USR2", "asked by TERM"]


def test_pretend_gpus_are_handed_out(cluster: SlurmCluster) -> None:
    told = cluster.call("srun", "--gres=gpu:2", "sh", "-c", "echo $CUDA_VISIBLE_DEVICES")
    assert told == "0,1"


def test_a_job_above_its_memory_is_ended(cluster: SlurmCluster) -> None:
    hold = "import time; held = b'x' * (400 << 20); time.sleep(30)"
    job = cluster.submit(f'srun {sys.executable} -c "{hold}"', "--mem=100M", "--time=1")
    assert cluster.wait_for_state(job)["JobState"] in {"FAILED", "OUT_OF_MEMORY", "CANCELLED"}
    assert "memory" in cluster.log(job).lower()
