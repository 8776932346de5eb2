"""Schedulers that answer nonsense, and files in the way: told before anything is submitted."""

import json
import os
from pathlib import Path

import pytest
from fake_scheduler import SITE, TINY, FakeScheduler

from saih.cli import run
from saih.domain.batch import Receipt
from saih.store.submission_folder import SubmissionFolder, write_receipt
from saih.store.sweep_folder import SweepFolder

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
