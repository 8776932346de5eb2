"""Commands for systems with a scheduler, as far as they need none: files, texts, exit codes."""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from saih.commands.following import Teller, is_awaited
from saih.commands.situation import Account
from saih.commands.standing import standing_counts
from saih.config.definition import define
from saih.config.site_file import parse_site
from saih.config.site_schema import SITE_SCHEMA
from saih.config.sweep_file import parse_sweep
from saih.domain.batch import Batch, Receipt, Submission
from saih.domain.limits import Limits
from saih.domain.record import Environment
from saih.domain.site import Site
from saih.launch.lock import sweep_lock
from saih.launch.point_standing import PointStanding, Standing
from saih.launch.situation import Condition, JobStatus, Situation
from saih.machine.environment import capture
from saih.planner.duration import apart_s
from saih.planner.packing import time_limit_s
from saih.planner.plan import Plan, make_plan
from saih.store.batch_folder import BatchFolder, read_batch, write_batch
from saih.store.structure import from_json, to_json
from saih.store.submission_folder import SubmissionFolder, read_submission, write_receipt, write_submission
from saih.store.sweep_folder import SweepFolder, record_definition
from tests.command_line import Saih

DOCS = Path(__file__).parents[2] / "docs"
TINY = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 16, resolution: 16, channels: 1, universes: 4}
  model: {depth: 1, width: 4}
axes:
  model: {width: [4, 8]}
  ranks: {ranks: [1, 2, 4], scaling: weak}
placement: {nodes: 2, ranks_per_node: 2}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 5, budget_s: 0.5}
"""
SITE = "name: box\nscheduler: slurm\npartition: main\nmax_time_h: 1\n"
CANARY = "#!/bin/sh\ntouch {path}\nexit 1\n"
COMMANDS = ("sbatch", "squeue", "sacct", "sinfo", "scancel", "scontrol", "srun")


NODES = "\n".join(f"main*|up|infinite|n{n}|127.0.0.1|8|1000|(null)|idle" for n in (1, 2))
WITHOUT_LOCKS = """\
import errno, fcntl
from saih.cli import run
def flock(*_):
    raise OSError(errno.ENOLCK, "no locks")
fcntl.flock = flock
run(["sweep", "tiny.yaml", "--site", "site.yaml"])
"""
"""Another submitter, from a host where the file system has no locks."""


def answer(tmp_path: Path, **answers: str) -> Path:
    """Let the scheduler take every job, with none in its queue; gives the list of those taken."""
    taken = tmp_path / "taken"
    usual = {
        "sbatch": f'echo "$@" >> {taken}; wc -l < {taken}',
        "squeue": "true",
        "sacct": "true",
        "sinfo": f"cat <<END\n{NODES}\nEND",
        "scontrol": "echo MaxArraySize = 1001",
        "scancel": f'echo "$@" >> {tmp_path}/cancelled',
    }
    for name, lines in (usual | answers).items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n")
    return taken


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Made as soon as anybody asks a scheduler."""
    return tmp_path / "asked"


@pytest.fixture
def saih(
    tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Saih:
    """In a folder with a sweep and a site, where the scheduler refuses and tells that it was asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in COMMANDS:
        (programs / name).write_text(CANARY.format(path=asked))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("SAIH_SITE", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    (home / "tiny.yaml").write_text(TINY)
    (home / "site.yaml").write_text(SITE)
    return Saih(capsys)


def plan(text: str = TINY) -> Plan:
    return make_plan(parse_sweep(text, "tiny"), Limits())


def submitted(job_id: str = "12", text: str = TINY) -> SweepFolder:
    """A folder whose first batch, of four points, was submitted."""
    folder = SweepFolder(Path("results"), "tiny")
    record_definition(folder, define(parse_sweep(text, "tiny")))
    points = tuple(planned.point for planned in plan(text).points[:4])
    batch = Batch(number=1, points=points, nodes=2, predicted_s=60.0, time_limit_s=600.0)
    write_batch(BatchFolder(sweep=folder, number=1), batch)
    place = SubmissionFolder(sweep=folder, number=1)
    submission = Submission(
        number=1,
        task="measure",
        token="saih-0123456789",
        batches=(1,),
        after=(),
        site=Site(name="box", scheduler="slurm"),
        data_folder=str(Path("data").absolute()),
        written_utc="2026-11-20T10:00:00+00:00",
    )
    write_submission(place, submission, "#!/bin/bash\n")
    write_receipt(place, Receipt(job_id=job_id, submitted_utc="2026-11-20T10:00:01+00:00"))
    return folder


def test_a_dry_run_prints_the_scripts_and_writes_and_asks_nothing(saih: Saih, asked: Path) -> None:
    before = sorted(Path().rglob("*"))
    said = saih("sweep", "tiny.yaml", "--site", "site.yaml", "--dry-run")
    assert said.exit_code == 0, said.err
    assert "$ sbatch --parsable" in said.out
    assert "#SBATCH --partition=main" in said.out
    assert "node-hours" in said.out
    assert "No scheduler was asked" in said.err
    assert sorted(Path().rglob("*")) == before
    assert not asked.exists()


def test_a_dry_run_as_json_holds_every_script_and_command(saih: Saih) -> None:
    document = json.loads(saih("sweep", "tiny.yaml", "--site", "site.yaml", "--dry-run", "--json").out)
    (job,) = document["jobs"]
    assert job["script"].startswith("#!/bin/bash")
    assert job["command"][-1].endswith("results/tiny/submissions/submission-1/script.sh")
    assert len(document["points"]) == 6


def test_the_job_for_data_sets_asks_for_what_the_plan_says(saih: Saih) -> None:
    Path("site.yaml").write_text(f"{SITE}packing: placement\n")
    site = parse_site(Path("site.yaml").read_text(), "site.yaml")
    document = json.loads(saih("sweep", "tiny.yaml", "--site", "site.yaml", "--dry-run", "--json").out)
    making, *_ = document["jobs"]
    assert making["task"] == "generate"
    limit_s = int(time_limit_s(apart_s(plan().points), site))
    assert limit_s < sum(batch["time_limit_s"] for batch in document["batches"])
    assert f"--time=00:{limit_s // 60:02}:00\n" in making["script"]


def test_a_submission_of_an_earlier_version_can_be_read(saih: Saih) -> None:
    known = read_submission(SubmissionFolder(sweep=submitted(), number=1))
    fields = to_json(known)
    for name in ("time_limit_s", "earlier_job_ids"):
        del fields[name]
    assert from_json(Submission, fields) == known


def test_the_scheduler_may_be_named_without_a_site_file(saih: Saih) -> None:
    said = saih("sweep", "tiny.yaml", "--scheduler", "pbs", "--dry-run")
    assert said.exit_code == 0, said.err
    assert "#PBS -" in said.out


def test_a_site_is_found_by_its_variable(saih: Saih, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAIH_SITE", "site.yaml")
    assert "#SBATCH --partition=main" in saih("sweep", "tiny.yaml", "--dry-run").out
    assert "at box" in saih("sweep", "tiny.yaml", "--dry-run").out


def test_a_scheduler_that_does_not_answer_refuses_before_anything_is_written(saih: Saih, asked: Path) -> None:
    said = saih("sweep", "tiny.yaml", "--site", "site.yaml")
    assert said.exit_code != 0
    assert asked.exists()
    assert not Path("results/tiny/submissions").exists()


def test_a_site_file_is_written_once_and_can_be_read(saih: Saih) -> None:
    assert saih("init", "--site", "mine.yaml").out == "mine.yaml\n"
    assert parse_site(Path("mine.yaml").read_text(), "mine.yaml").scheduler == "slurm"
    again = saih("init", "--site", "mine.yaml")
    assert again.exit_code == 2
    assert "nothing was replaced" in again.err
    assert saih("init", "--site", "--preset", "node").exit_code == 2


def test_status_tells_points_of_a_job_that_nobody_could_ask_about(saih: Saih) -> None:
    submitted()
    said = saih("status", "tiny")
    assert said.exit_code == 0, said.err
    assert said.out.count("waiting") == 4
    assert said.out.count("not submitted") == 2
    assert "the scheduler could not be asked" in said.err
    document = json.loads(saih("status", "tiny", "--json").out)
    assert document["jobs"][0]["job_id"] == "12"
    assert document["jobs"][0]["state"] == "unknown"
    assert len(document["standings"]) == 6


def test_points_that_a_job_may_work_on_are_not_measured_here(saih: Saih) -> None:
    submitted()
    said = saih("sweep", "tiny.yaml", "--scheduler", "local", "--set", "placement.nodes=2")
    assert said.exit_code == 2
    assert "4 points of tiny may be worked on by a job" in said.err
    assert "saih cancel tiny" in said.err


def test_points_that_were_submitted_while_a_sweep_here_began_are_not_measured_here(
    saih: Saih, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = TINY.replace("nodes: 2", "nodes: 1").replace("[1, 2, 4]", "[1, 2]")
    Path("tiny.yaml").write_text(here)

    def after_the_first_look(site: Mapping[str, str]) -> Environment:
        submitted(text=here)
        return capture(site)

    monkeypatch.setattr("saih.commands.sweeping.capture", after_the_first_look)
    said = saih("sweep", "tiny.yaml", "--scheduler", "local")
    assert "4 of 4 points to measure" in said.err
    assert said.exit_code == 2
    assert "4 points of tiny may be worked on by a job" in said.err


def test_nobody_begins_a_sweep_here_while_it_is_being_submitted(saih: Saih, tmp_path: Path) -> None:
    answer(tmp_path, sbatch="flock -n results/tiny/lock true && exit 1; echo 12")
    said = saih("sweep", "tiny.yaml", "--site", "site.yaml")
    assert (said.exit_code, said.out) == (0, "12\n"), said.err
    with sweep_lock(Path("results/tiny/lock"), 0.0, print):
        pass  # free again


def test_a_job_whose_answer_was_lost_is_cancelled_by_the_id_that_it_is_found_with(
    saih: Saih, tmp_path: Path
) -> None:
    # Not yet in the queue at the first look, as when the request was still on its way.
    line = "echo '12|N/A|PENDING||Priority|saih-0123456789'"
    answer(tmp_path, squeue=f"if mkdir {tmp_path}/once 2>/dev/null; then exit 0; fi; {line}")
    place = SubmissionFolder(sweep=submitted(), number=1)
    (place.path / "receipt.json").unlink()
    found = replace(read_submission(place), written_utc=datetime.now(UTC).isoformat(timespec="seconds"))
    (place.path / "submission.json").unlink()
    assert write_submission(place, found, "#!/bin/bash\n")
    said = saih("cancel", "tiny")
    assert "cancelled job 12 (measure, batch 1" in said.out
    assert (tmp_path / "cancelled").read_text() == "12\n"


@pytest.mark.parametrize("name", ["submissions/submission-1/submission.json", "batches/batch-1/batch.json"])
def test_points_of_a_job_that_cannot_be_read_are_not_worked_on_again(
    saih: Saih, tmp_path: Path, name: str
) -> None:
    taken = answer(tmp_path, squeue="echo '12|N/A|RUNNING|n1|None|saih-0123456789'")
    damaged = submitted().path / name
    damaged.write_bytes(damaged.read_bytes()[:-20])
    for where in (("--site", "site.yaml"), ("--scheduler", "local")):
        said = saih("sweep", "tiny.yaml", *where)
        assert (said.exit_code, str(damaged) in said.err) == (4, True)
    assert not taken.exists()


def test_status_tells_of_a_submission_that_cannot_be_read(saih: Saih, asked: Path) -> None:
    damaged = submitted().path / "submissions" / "submission-1" / "submission.json"
    damaged.write_text("{}")
    said = saih("status", "tiny")
    assert (said.exit_code, str(damaged) in said.err) == (0, True)


@pytest.mark.parametrize("name", ["holder", "progress"])
def test_a_batch_of_an_unknown_holder_is_as_live_as_its_job(saih: Saih, tmp_path: Path, name: str) -> None:
    taken = answer(tmp_path, squeue="echo '12|N/A|RUNNING|n1|None|saih-0123456789'")
    (submitted().path / "batches" / "batch-1" / f"{name}.json").write_text("{}")
    assert saih("sweep", "tiny.yaml", "--site", "site.yaml").exit_code == 0
    batch = read_batch(BatchFolder(sweep=SweepFolder(Path("results"), "tiny"), number=2))
    assert len(batch.points) == 2
    assert len(taken.read_text().splitlines()) == 1


def test_who_is_overtaken_by_another_submitter_submits_nothing(saih: Saih, tmp_path: Path) -> None:
    submitted()  # its job is gone, so that its points are to be submitted again
    other = shlex.join([sys.executable, "-c", WITHOUT_LOCKS])
    other = f"if mkdir {tmp_path}/once 2>/dev/null; then {other} >/dev/null; fi"
    taken = answer(tmp_path, squeue=other)
    said = saih("sweep", "tiny.yaml", "--site", "site.yaml")
    assert (said.exit_code, len(taken.read_text().splitlines())) == (1, 1)
    assert "has a batch 2 already" in said.err


def test_cancel_says_when_there_is_nothing_to_cancel(saih: Saih, asked: Path) -> None:
    record_definition(SweepFolder(Path("results"), "tiny"), define(parse_sweep(TINY, "tiny")))
    said = saih("cancel", "tiny")
    assert said.exit_code == 0
    assert "no job to cancel" in said.err
    assert not asked.exists()


def status(condition: Condition, words: str, *, batch: int = 1, advice: str = "") -> JobStatus:
    return JobStatus(
        submission=1,
        task="measure",
        batch=batch,
        job_id="12",
        condition=condition,
        words=words,
        advice=advice,
    )


def account(job: JobStatus, standings: dict[str, Standing]) -> Account:
    nothing = Situation(submissions=(), batches={}, view=None, finished=frozenset())
    told = {
        point_id: PointStanding(standing=standing, why="because", advice="", batch=1)
        for point_id, standing in standings.items()
    }
    return Account(situation=nothing, jobs=(job,), standings=told)


def test_following_tells_each_change_once_and_no_old_news() -> None:
    planned = plan()
    ids = [one.point.point_id for one in planned.points]
    waiting = dict.fromkeys(ids, Standing.WAITING) | {ids[0]: Standing.DONE}
    teller = Teller(plan=planned)
    first = account(status(Condition.WAITING, "job 12 PENDING (Priority): other jobs come first"), waiting)
    assert list(teller.changes(first)) == ["measure: job 12 PENDING (Priority): other jobs come first"]
    assert list(teller.changes(first)) == []
    running = status(Condition.RUNNING, "job 12 running on n1; 1 of 6 points done")
    assert list(teller.changes(account(running, waiting))) == ["measure: job 12 running on n1"]
    further = status(Condition.RUNNING, "job 12 running on n1; 3 of 6 points done")
    done = waiting | {ids[1]: Standing.DONE, ids[2]: Standing.FAILED}
    lines = list(teller.changes(account(further, done)))
    assert [re.sub("] .*: ", "] ", line) for line in lines] == ["[2/6] completed", "[3/6] because"]
    assert standing_counts(planned, account(further, done).standings) == {
        "done": 2,
        "waiting": 3,
        "failed": 1,
    }


@pytest.mark.parametrize("condition", Condition)
def test_a_job_without_anything_to_wait_for_is_not_awaited(condition: Condition) -> None:
    assert is_awaited(status(condition, "")) is (condition not in (Condition.ENDED, Condition.SPARE))


def test_the_guide_names_every_key_of_a_site_file_and_no_other() -> None:
    text = (DOCS / "clusters.md").read_text()
    table = text.partition("| key | meaning |")[2].partition("###")[0]
    named = [
        name
        for line in table.splitlines()
        for name in re.findall("`([a-zA-Z_]+)`", line.split("|")[1:2][0] if "|" in line else "")
    ]
    assert named == [key.name for key in SITE_SCHEMA.keys]


def test_the_examples_of_the_guide_are_what_they_show() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "clusters.md").read_text(), re.DOTALL)
    assert parse_site(blocks[0], "the guide").partition == "batch"
    base = TINY.partition("axes:")[0]
    sweep = parse_sweep(f"{base}{blocks[1]}", "the guide")
    assert sweep.rank_ladder is not None
    assert sweep.rank_ladder.scaling == "strong"
    assert parse_site(f"name: a\nscheduler: slurm\n{blocks[2]}", "the guide").container
