"""Schedulers that answer nonsense, and files in the way: told before anything is submitted."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_scheduler import SITE, TINY, FakeScheduler

from saih.cli import run
from saih.domain.batch import Receipt
from saih.launch import submission_handover
from saih.store.submission_folder import SubmissionFolder, write_receipt
from saih.store.sweep_folder import SweepFolder

LONG = "/".join(["y" * 200] * 25)
SWEEP = ("sweep", "tiny.yaml", "--site", "site.yaml", "--json")


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeScheduler:
    """In a folder with a sweep and a site."""
    fake = FakeScheduler(tmp_path)
    monkeypatch.setenv("PATH", f"{fake.programs}:{os.environ['PATH']}")
    for name in [name for name in os.environ if name.startswith(("SAIH_", "SLURM_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    (home / "tiny.yaml").write_text(TINY)
    (home / "site.yaml").write_text(SITE)
    return fake


def submitted_long_ago() -> None:
    """Submit the sweep, and let its job be old enough for every queue to show it."""
    assert run(SWEEP) == 0
    place = SubmissionFolder(sweep=SweepFolder(Path("results"), "tiny"), number=1)
    write_receipt(place, Receipt(job_id="1", submitted_utc="2026-01-01T00:00:00+00:00"))


@pytest.mark.parametrize(
    "nonsense",
    [
        "echo '<html>504 Gateway Time-out</html>'",
        "echo 'Welcome to the machine'; echo 'it | is | down'",
        "printf '\\377\\376\\000|||\\n'",
        "exec sed 's/^/no job at all /' /etc/services /etc/services",
        "echo boom >&2; exit 1",
        "kill -9 $$",
        'for job in ../jobs/*; do echo "1|N/A|POWER_UP_NODE||None|$(cat $job)"; done',
    ],
)
def test_points_of_a_job_are_left_alone_when_the_queue_is_nonsense(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], nonsense: str
) -> None:
    submitted_long_ago()
    scheduler.answer("squeue", nonsense)
    capsys.readouterr()
    assert run(SWEEP) in (0, 75)
    json.loads(capsys.readouterr().out)
    assert scheduler.jobs == ["1"]


def test_a_lost_job_is_not_given_up_when_the_accounts_are_nonsense(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted_long_ago()
    receipt = Path("results/tiny/submissions/submission-1/receipt.json")
    receipt.unlink()
    scheduler.answer("squeue", "true")
    scheduler.answer("sacct", "echo '<html>504 Gateway Time-out</html>'")
    capsys.readouterr()
    assert run(SWEEP) == 75
    assert "`sacct` said '<html>504" in json.loads(capsys.readouterr().out)["problem"]
    scheduler.answer("sacct", "echo '1|COMPLETED|0:0|n1|'$(cat ../jobs/1)")
    run(SWEEP)
    assert receipt.exists()


@pytest.mark.parametrize("option", ["--results", "--data-folder", "--reports"])
@pytest.mark.parametrize("path", ["z" * 300, LONG, "tiny.yaml/below", "loop", "dangling", "/dev/null/x"])
def test_a_path_that_can_be_no_folder_is_refused_by_every_command(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], option: str, path: str
) -> None:
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    before = sorted(Path().rglob("*"))
    for command in (SWEEP, (*SWEEP, "--dry-run"), ("status", "tiny", "--json")):
        assert run((*command, option, path)) == 2
        assert json.loads(capsys.readouterr().out)["kind"] == "UsageError"
    assert sorted(Path().rglob("*")) == before
    assert scheduler.jobs == []


@pytest.mark.parametrize("option", ["--results", "--data-folder", "--reports"])
@pytest.mark.parametrize("path", ["a\nb", "a\x1b[31mb", "a\udce9b"])
def test_a_path_that_no_script_can_name_is_refused(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], option: str, path: str
) -> None:
    assert run((*SWEEP, option, path)) == 2
    assert json.loads(capsys.readouterr().out)["kind"] == "UsageError"
    assert scheduler.jobs == []


@pytest.mark.parametrize("name", ["sbatch", "squeue", "sinfo", "scancel", "scontrol"])
def test_a_missing_command_is_told_before_anything_is_written(
    scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv("PATH", str(scheduler.programs))
    scheduler.lose(name)
    assert run(SWEEP) == 3
    assert f"no command `{name}`" in json.loads(capsys.readouterr().out)["problem"]
    assert not Path("results").exists()


@pytest.mark.parametrize(("other", "command"), [("pbs", "qsub"), ("lsf", "bsub"), ("flux", "flux")])
def test_other_schedulers_are_missed_before_anything_is_written(
    scheduler: FakeScheduler,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    other: str,
    command: str,
) -> None:
    monkeypatch.setenv("PATH", str(scheduler.programs))
    assert run(("sweep", "tiny.yaml", "--scheduler", other)) == 3
    assert f"no command `{command}`" in capsys.readouterr().err
    assert not Path("results").exists()


@pytest.mark.parametrize("name", ["lock", "submit.lock", "scheduler.lock"])
def test_a_pipe_in_place_of_a_lock_locks_as_well(scheduler: FakeScheduler, name: str) -> None:
    Path("results/tiny").mkdir(parents=True)
    os.mkfifo(Path("results/tiny") / name)
    assert run(SWEEP) == 0
    assert scheduler.jobs == ["1"]


@pytest.mark.parametrize("name", ["batches", "submissions"])
def test_a_file_in_place_of_a_folder_is_told(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    Path("results/tiny").mkdir(parents=True)
    (Path("results/tiny") / name).touch()
    assert run(SWEEP) == 4
    document = json.loads(capsys.readouterr().out)
    assert f"tiny/{name} cannot be read as a folder" in document["problem"]
    assert scheduler.jobs == []


@pytest.mark.parametrize("name", ["submissions/submission-1/submission.json", "batches/batch-1/batch.json"])
def test_who_cancels_is_told_that_a_job_may_be_left(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    submitted_long_ago()
    path = Path("results/tiny") / name
    path.write_bytes(path.read_bytes()[:-20])
    capsys.readouterr()
    assert run(("cancel", "tiny", "--json")) == 4
    (damage,) = json.loads(capsys.readouterr().out)["damages"]
    assert str(path) in damage


def test_a_receipt_without_its_submission_keeps_others_from_submitting(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted_long_ago()
    Path("results/tiny/submissions/submission-1/submission.json").unlink()
    capsys.readouterr()
    assert run(SWEEP) == 4
    assert "is missing, though its receipt is there" in json.loads(capsys.readouterr().out)["problem"]
    assert scheduler.jobs == ["1"]


@pytest.mark.parametrize("end", ["kill -9 $$", "exit 137", "exit 1"])
def test_a_command_that_ends_without_a_word_may_have_submitted_the_job(
    scheduler: FakeScheduler, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(submission_handover, "_SETTLE_S", 0.1)
    scheduler.answer("sbatch", f"( {scheduler.usual('sbatch')} ) >/dev/null; {end}")
    assert run(SWEEP) == 0
    assert run(SWEEP) == 0
    assert scheduler.jobs == ["1"]


@pytest.mark.parametrize("status", [1, 2, 255])
def test_a_refusal_is_told_and_leaves_nothing(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    said = "sbatch: unrecognized option '--nonsense=1'"
    scheduler.answer("sbatch", f'echo "{said}" >&2; echo "Try sbatch --help for more" >&2; exit {status}')
    assert run(SWEEP) == 2
    document = json.loads(capsys.readouterr().out)
    assert (said[8:] in document["problem"], "`options`" in document["remedy"]) == (True, True)
    assert not list(Path("results/tiny/submissions").iterdir())


def test_a_qsub_that_is_killed_leaves_a_job_that_nobody_submits_again(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    scheduler.answer("qsub", "touch ../jobs/7; kill -9 $$")
    sweep = ("sweep", "tiny.yaml", "--scheduler", "pbs")
    assert run(sweep) == 75
    assert run(sweep) == 1
    assert "it is not known whether pbs has the job" in capsys.readouterr().err
    assert scheduler.jobs == ["7"]


def test_who_cancels_while_jobs_are_submitted_cancels_those_that_come(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("site.yaml").open("a") as file:
        file.write("packing: placement\n")
    scheduler.answer("sbatch", f"sleep 0.3\n{scheduler.usual('sbatch')}")
    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(run, SWEEP)
        while not Path("results/tiny/submissions/submission-2").exists():
            time.sleep(0.02)
        assert run(("cancel", "tiny")) == 0
        assert submitting.result() == 0
    assert scheduler.jobs == []
    assert capsys.readouterr().out.count("cancelled job") == 5


def test_points_that_cannot_be_placed_are_told_with_the_reason(
    scheduler: FakeScheduler, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run((*SWEEP, "--set", "axes.ranks.scaling=strong")) == 0
    told = capsys.readouterr().err
    assert "2 points dropped: " in told
    assert "which 4 ranks cannot do evenly" in told
