"""Jobs handed to a real Slurm: written down first, submitted once, found again."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster

from augment.problem import Problem, Shape
from saih.domain.batch import Batch
from saih.domain.errors import SaihError, UsageError
from saih.domain.point import Placement, Point, Timing
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.job_view import JobView
from saih.launch.submission import reconcile, submit
from saih.launch.submission_plan import Order, prepare
from saih.store.submission_folder import (
    SubmissionFolder,
    read_receipt,
    read_submission,
    submission_numbers,
    write_submission,
)
from saih.store.sweep_folder import SweepFolder

HELD = Site(
    name="ci", scheduler="slurm", options=("--hold",), max_time_s=600.0, is_exclusive=False, max_jobs=2
)
"""Its jobs wait for ever, so that tests see them."""
KILLED = """\
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_submission import HELD, order
from saih.launch.submission import submit
from saih.store.sweep_folder import SweepFolder
submit(SweepFolder(Path({root!r}), "s"), order(Path({root!r}), 1), print)
"""


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path / "results", "s")


@pytest.fixture
def on_cluster(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """The cluster, for this process too; its user's shell is full of variables of other jobs."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("SBATCH_PARTITION", "none")
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    return cluster


def order(folder: Path, num_batches: int, site: Site = HELD) -> Order:
    batches = tuple(_batch(number) for number in range(1, num_batches + 1))
    return Order(site=site, batches=batches, data_folder=folder / "data", reports_folder=folder / "reports")


def _batch(number: int) -> Batch:
    point = Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=8, resolution=16, channels=1), model=Shape.of(depth=1, width=4)
        ),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=number,
    )
    return Batch(number=number, points=(point,), nodes=1, predicted_s=1.0, time_limit_s=60.0)


def wrapped(name: str, lines: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a shell script before the command ``name``, which it calls as $REAL."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    path = bin_folder / name
    path.write_text(f"#!/bin/bash\nPATH=${{PATH#{bin_folder}:}}\nREAL=$(type -P {name})\n{lines}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    return bin_folder


def queued(folder: SweepFolder) -> list[JobView]:
    """The sweep's own jobs."""
    places = [SubmissionFolder(sweep=folder, number=number) for number in submission_numbers(folder)]
    names = {read_submission(place).token for place in places}
    return [job for job in slurm.jobs() if job.name in names and job.state == "PENDING"]


@pytest.mark.slow
def test_one_batch_is_one_job_and_its_script_is_what_was_written(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path
) -> None:
    (shown,) = prepare(folder, order(tmp_path, 1), 1)
    (receipt,) = submit(folder, order(tmp_path, 1), print)
    place = SubmissionFolder(sweep=folder, number=1)
    assert read_receipt(place) == receipt
    (job,) = queued(folder)
    assert (job.job_id, job.state) == (receipt.job_id, "PENDING")
    assert place.script_path.read_text() == shown.script
    kept = on_cluster.call("scontrol", "write", "batch_script", receipt.job_id, "-")
    assert kept.strip() == shown.script.strip()


@pytest.mark.slow
def test_several_batches_make_a_chain(on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path) -> None:
    generate, measure, report = submit(folder, order(tmp_path, 3), print)
    assert sorted((job.job_id, job.index) for job in queued(folder) if job.job_id == measure.job_id) == [
        (measure.job_id, index) for index in range(3)
    ]
    assert f"afterok:{generate.job_id}" in on_cluster.job(f"{measure.job_id}_0")["Dependency"]
    assert f"afterany:{measure.job_id}_*" in on_cluster.job(report.job_id)["Dependency"]


@pytest.mark.slow
def test_a_refused_job_leaves_nothing_behind(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path
) -> None:
    for site in (replace(HELD, partition="nope"), replace(HELD, constraint="nope")):
        with pytest.raises(UsageError, match="'nope'"):
            submit(folder, order(tmp_path / site.partition, 1, site), print)
        assert submission_numbers(folder) == ()
        (folder.path / "batches" / "batch-1" / "batch.json").unlink()
    assert [job for job in slurm.jobs() if job.name.startswith("saih") and job.state == "PENDING"] == []


@pytest.mark.slow
def test_an_answer_that_is_lost_does_not_submit_twice(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        '"$REAL" "$@" >/dev/null; echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    )
    wrapped("sbatch", lines, tmp_path, monkeypatch)
    (receipt,) = submit(folder, order(tmp_path, 1), print)
    assert [job.job_id for job in queued(folder)] == [receipt.job_id]


@pytest.mark.slow
def test_a_killed_submission_is_found_again_and_not_repeated(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as within:
        wrapped("sbatch", '"$REAL" "$@" >/dev/null; kill -9 $PPID; sleep 5', tmp_path, within)
        program = KILLED.format(tests=str(Path(__file__).parent), root=str(folder.root))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        }
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, timeout=60)
        assert done.returncode == -9
    place = SubmissionFolder(sweep=folder, number=1)
    assert read_receipt(place) is None
    (job,) = queued(folder)
    assert reconcile(folder, print) == (1,)
    found = read_receipt(place)
    assert found is not None
    assert found.job_id == job.job_id
    assert [one.job_id for one in queued(folder)] == [job.job_id]


def test_an_old_job_of_the_same_name_is_not_taken_for_one_whose_answer_was_lost(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a deleted folder of results leaves it: the first sbatch is lost on the way, the second arrives."""
    (shown,) = prepare(folder, order(tmp_path, 1), 1)
    old = f"5|N/A|COMPLETED|n1|None|{shown.submission.token}"
    wrapped("squeue", f'echo "{old}"', tmp_path, monkeypatch)
    wrapped("sacct", f'echo "4|COMPLETED|0:0|n1|{shown.submission.token}"', tmp_path, monkeypatch)
    lost = 'echo "sbatch: error: Socket timed out on send/recv operation" >&2; exit 1'
    wrapped("sbatch", f"mkdir {tmp_path}/once 2>/dev/null && {{ {lost}; }}; echo 7", tmp_path, monkeypatch)
    monkeypatch.setattr("saih.launch.submission_handover._SETTLE_S", 0.0)
    (receipt,) = submit(folder, order(tmp_path, 1), print)
    assert receipt.job_id == "7"
    kept = read_submission(SubmissionFolder(sweep=folder, number=1))
    assert kept.earlier_job_ids == ("5", "4")
    assert replace(kept, earlier_job_ids=(), written_utc=shown.submission.written_utc) == shown.submission


@pytest.mark.slow
def test_an_intent_that_never_reached_slurm_is_withdrawn(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path
) -> None:
    (one,) = prepare(folder, order(tmp_path, 1), 1)
    long_ago = (datetime.now(UTC) - timedelta(minutes=5)).isoformat(timespec="seconds")
    place = SubmissionFolder(sweep=folder, number=1)
    assert write_submission(place, replace(one.submission, written_utc=long_ago), one.script)
    assert reconcile(folder, print) == ()
    assert submission_numbers(folder) == ()


@pytest.mark.slow
def test_a_controller_that_is_away_for_a_while_is_waited_for(
    on_cluster: SlurmCluster, folder: SweepFolder, tmp_path: Path
) -> None:
    on_cluster.submit("sleep 1", "--partition=main", "--time=1")  # gives the controller a state to keep
    on_cluster.kill_controller()
    begin = time.monotonic()
    later = threading.Timer(12.0, on_cluster.start_controller)
    later.start()
    (receipt,) = submit(folder, order(tmp_path, 1), print)
    later.join()
    assert [job.job_id for job in queued(folder)] == [receipt.job_id]
    assert time.monotonic() - begin < 120


def test_other_schedulers_are_handed_the_script_and_their_id_is_read(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "pbs": ("qsub", "echo 12.server"),
        "lsf": ("bsub", 'grep -c BSUB >/dev/null && echo "Job <12> is submitted to queue <q>."'),
        "flux": ("flux", "echo f12AbC"),
    }
    expected = {"pbs": "12.server", "lsf": "12", "flux": "f12AbC"}
    for scheduler, (name, lines) in answers.items():
        wrapped(name, f'echo "$@" >> {tmp_path}/asked\n{lines}', tmp_path, monkeypatch)
        sweep = SweepFolder(folder.root, scheduler)
        site = Site(name="x", scheduler=scheduler)  # type: ignore[arg-type]
        receipts = submit(sweep, order(tmp_path, 2, site), print)
        assert {receipt.job_id for receipt in receipts} == {expected[scheduler]}
    asked = (tmp_path / "asked").read_text()
    assert "-W depend=afterok:12.server" in asked
    assert "-w done(12)" in asked
    assert "batch --dependency=afterok:f12AbC" in asked


def test_jobs_before_a_refused_one_that_only_the_user_can_end_are_told_beside_the_refusal(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = (
        f'mkdir {tmp_path}/once 2>/dev/null && echo 12.server || {{ echo "no such queue" >&2; exit 1; }}'
    )
    wrapped("qsub", refusing, tmp_path, monkeypatch)
    with pytest.raises(UsageError) as caught:
        submit(folder, order(tmp_path, 2, Site(name="x", scheduler="pbs")), print)
    assert "no such queue" in caught.value.problem
    assert "qdel 12.server" in caught.value.remedy


def test_a_job_of_which_nobody_can_be_asked_is_told(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped("qsub", "echo what", tmp_path, monkeypatch)
    site = Site(name="x", scheduler="pbs")
    with pytest.raises(SaihError, match="holds no id"):
        submit(folder, order(tmp_path, 1, site), print)
    with pytest.raises(SaihError, match="not known whether pbs has the job"):
        reconcile(folder, print)


@pytest.mark.slow
def test_two_do_not_submit_the_same_sweep_at_the_same_time(folder: SweepFolder, tmp_path: Path) -> None:
    lock = str(folder.path / "submit.lock")
    hold = (
        f"import fcntl, time; file = open({lock!r}, 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', flush=True); time.sleep(30)"
    )
    folder.path.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UsageError, match="being run already"):
            submit(folder, order(tmp_path, 1), print)
        other.kill()
