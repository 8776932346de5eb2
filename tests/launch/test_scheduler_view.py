"""What Slurm says of a sweep: asked once in a while by all who look, and bounded when it does not answer."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from slurm_cluster_fixture import SlurmCluster, wait_until

from saih.domain.batch import Receipt, Submission
from saih.domain.site import Site
from saih.launch.scheduler_view import read_view
from saih.store.files import make_folder
from saih.store.submission_folder import SubmissionFolder, write_receipt, write_submission
from saih.store.sweep_folder import SweepFolder

SITE = Site(name="ci", scheduler="slurm")
LOOK = """\
import sys
from pathlib import Path
from saih.domain.site import Site
from saih.launch.scheduler_view import read_view
from saih.store.sweep_folder import SweepFolder
print(len(read_view(SweepFolder(Path(sys.argv[1]), "s"), Site(name="ci", scheduler="slurm")).jobs))
"""


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    sweep = SweepFolder(tmp_path / "results", "s")
    make_folder(sweep.path)
    return sweep


@pytest.fixture
def calls(cluster: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each call of a command of Slurm, which wrappers on PATH write."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("squeue", "sacct"):
        wrapper = bin_folder / name
        wrapper.write_text(
            f'#!/bin/bash\necho {name} >> {tmp_path}/calls\nPATH=${{PATH#{bin_folder}:}}\nexec {name} "$@"\n'
        )
        wrapper.chmod(0o755)
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])
    monkeypatch.setenv("PATH", f"{bin_folder}:{cluster.environment['PATH']}")
    (tmp_path / "calls").touch()
    return tmp_path / "calls"


def submitted(folder: SweepFolder, number: int, job_id: str | None, name: str) -> None:
    place = SubmissionFolder(sweep=folder, number=number)
    now = (datetime.now(UTC) - timedelta(minutes=1)).isoformat(timespec="seconds")
    submission = Submission(
        number=number,
        task="measure",
        token=name,
        batches=(1,),
        after=(),
        site=SITE,
        data_folder="/data",
        written_utc=now,
    )
    assert write_submission(place, submission, "")
    if job_id is not None:
        write_receipt(place, Receipt(job_id=job_id, submitted_utc=now))


@pytest.mark.slow
def test_many_who_look_at_once_ask_once(calls: Path, folder: SweepFolder, cluster: SlurmCluster) -> None:
    mine = cluster.submit("sleep 60", "--job-name=saih-mine", "--time=2")
    cluster.submit("sleep 60", "--job-name=other", "--time=2")
    submitted(folder, 1, mine, "saih-mine")
    lookers = [
        subprocess.Popen(
            [sys.executable, "-c", LOOK, str(folder.root)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        for _ in range(6)
    ]
    assert [looker.communicate(timeout=60)[0] for looker in lookers] == ["1\n"] * 6
    assert calls.read_text().split() == ["squeue"]
    (job,) = read_view(folder, SITE).jobs
    assert (job.job_id, job.name) == (mine, "saih-mine")
    assert calls.read_text().split() == ["squeue"]


@pytest.mark.slow
def test_what_left_the_queue_is_looked_up_in_the_accounts_once(
    calls: Path, folder: SweepFolder, cluster: SlurmCluster
) -> None:
    ended = cluster.submit("exit 3", "--job-name=saih-ended", "--time=1")
    known = ("sacct", "-nPX", "--starttime=now-1hours", "--format=jobid,state")
    wait_until(lambda: f"{ended}|FAILED" in cluster.call(*known), 30.0, lambda: cluster.call(*known))
    for number in (1, 2, 3):
        submitted(folder, number, ended if number == 1 else None, "saih-ended" if number == 1 else "never")
    view = read_view(folder, SITE)
    assert view.problem == ""
    assert [(one.job_id, one.state, one.reason) for one in view.accounts] == [(ended, "FAILED", "exit 3:0")]
    assert [(one.job_id, one.state) for one in view.jobs] == [(ended, "FAILED")]
    assert calls.read_text().split() == ["squeue", "sacct"]
    assert read_view(folder, SITE) == view
    assert calls.read_text().split() == ["squeue", "sacct"]
    assert replace(read_view(folder, SITE, is_fresh=True), asked_utc=view.asked_utc) == view
    assert calls.read_text().split() == ["squeue", "sacct"] * 2


@pytest.mark.slow
def test_a_controller_that_is_away_is_told_and_not_asked_again_at_once(
    calls: Path, folder: SweepFolder, cluster: SlurmCluster
) -> None:
    cluster.submit("sleep 1", "--time=1")  # gives the controller a state to keep
    cluster.kill_controller()
    view = read_view(folder, SITE)
    assert "does not answer" in view.problem
    assert read_view(folder, SITE) == view
    assert calls.read_text().split() == ["squeue"]


def test_other_schedulers_are_not_asked(folder: SweepFolder) -> None:
    view = read_view(folder, Site(scheduler="pbs"))
    assert "pbs" in view.problem
    assert list(folder.path.iterdir()) == []


def test_a_machine_without_slurm_is_told(
    folder: SweepFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no command `squeue`" in read_view(folder, SITE).problem
