"""Rendered scripts under a real Slurm: told to stop, requeued, cancelled, ended."""

import shlex
import sys
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster, wait_until

from augment.problem import Problem, Shape
from saih.domain.batch import Batch
from saih.domain.point import Placement, Point, Timing
from saih.domain.site import Site
from saih.launch.submission_plan import Order, prepare
from saih.store.files import make_folder
from saih.store.submission_folder import SubmissionFolder, write_submission
from saih.store.sweep_folder import SweepFolder

pytestmark = pytest.mark.slow

SITE = Site(name="ci", scheduler="slurm", environment={"HOSTILE": "$(touch CANARY) `touch CANARY`; %x '\""})
DRIVER = """\
import os, signal, sys, time
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(75))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
print("driver of start", os.environ.get("SLURM_RESTART_COUNT", "0"), os.environ["HOSTILE"], flush=True)
if os.environ.get("SLURM_RESTART_COUNT", "0") == "0":
    time.sleep(100)
"""


@pytest.fixture
def place(tmp_path: Path) -> SubmissionFolder:
    """A submission in a folder of an awkward name; its driver waits at its first start."""
    point = Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=8, resolution=16, channels=1), model=Shape.of(depth=1, width=4)
        ),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=Placement(nodes=2, ranks_per_node=2, data_parallel=4),
        timing=Timing(),
        seed=1,
    )
    batch = Batch(number=1, points=(point,), nodes=2, predicted_s=60.0, time_limit_s=120.0)
    sweep = SweepFolder(tmp_path / "a b'$(touch CANARY);%j#ü" / "results", "s")
    make_folder(sweep.path)
    asked = Order(site=SITE, batches=(batch,), data_folder=tmp_path / "data", reports_folder=None)
    (one,) = prepare(sweep, asked, 1)
    driver = shlex.join([sys.executable, "-m", "saih.launch.allocation"])
    script = one.script.replace(driver, shlex.join([sys.executable, "-c", DRIVER]))
    place = SubmissionFolder(sweep=sweep, number=1)
    assert write_submission(place, one.submission, script)
    return place


def started(cluster: SlurmCluster, place: SubmissionFolder) -> str:
    job = cluster.call("sbatch", "--parsable", place.script_path)
    wait_until(lambda: "driver of start 0" in log(place), 30.0, lambda: log(place))
    return job


def log(place: SubmissionFolder) -> str:
    return "".join(path.read_text() for path in place.path.glob("log-*.txt"))


def test_a_job_that_is_told_of_its_end_is_requeued_and_goes_on(
    cluster: SlurmCluster, place: SubmissionFolder, tmp_path: Path
) -> None:
    job = started(cluster, place)
    cluster.call("scancel", "--signal=USR2", "--batch", job)
    wait_until(lambda: "driver of start 1" in log(place), 60.0, lambda: log(place))
    cluster.wait_for_state(job, "COMPLETED")
    lines = log(place).splitlines()
    assert "saih: ended with 75: stopped before the end; requeued" in lines
    assert lines[-1] == "saih: ended with 0"
    assert f"driver of start 1 {SITE.environment['HOSTILE']}" in lines
    assert not list(tmp_path.rglob("CANARY"))


def test_a_cancelled_job_does_not_come_back(cluster: SlurmCluster, place: SubmissionFolder) -> None:
    job = started(cluster, place)
    cluster.call("scancel", "--full", job)
    assert cluster.wait_for_state(job)["JobState"] == "CANCELLED"
    wait_until(lambda: not cluster.call("squeue", "-h"), 30.0, lambda: cluster.call("squeue"))
    assert "requeued" not in log(place)


def test_a_preempted_job_goes_on_by_itself(cluster: SlurmCluster, place: SubmissionFolder) -> None:
    job = started(cluster, place)
    other = cluster.submit("sleep 3", "--partition=high", "--nodes=4", "--exclusive", "--time=1")
    cluster.wait_for_state(other, "COMPLETED", patience_s=90.0)
    wait_until(lambda: "driver of start 1" in log(place), 90.0, lambda: log(place))
    assert cluster.wait_for_state(job)["JobState"] == "COMPLETED"
