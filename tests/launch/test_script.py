"""Scripts: what each scheduler is told, and what a real bash makes of them."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.problem import Problem, Shape
from saih.domain.batch import Batch
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Point, Timing
from saih.domain.site import SchedulerName, Site
from saih.launch.script import preparation
from saih.launch.submission_plan import Order, Prepared, prepare
from saih.store.sweep_folder import SweepFolder

SCHEDULERS: tuple[SchedulerName, ...] = ("slurm", "pbs", "lsf", "flux")
FOUR = Placement(nodes=2, ranks_per_node=4, threads_per_rank=3, device="cuda", data_parallel=8)
FULL = Site(
    name="full",
    partition="gpu",
    account="proj",
    constraint="a100",
    is_exclusive=True,
    modules=("gcc", "openmpi/5.0"),
    environment={"A": "b c"},
    max_jobs=2,
)
WITH_QOS: tuple[SchedulerName, ...] = ("slurm", "lsf")
STUB = """\
import os, signal, sys, time
def end(number, _frame):
    os.write(1, f"driver got {signal.Signals(number).name}\\n".encode())
    sys.exit(75)
signal.signal(signal.SIGUSR2, end)
signal.signal(signal.SIGTERM, end)
print("driver has", sys.argv[1:], flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(int(sys.argv[2]))
"""


def batch(number: int, placement: Placement | None = None, time_limit_s: float = 600.0) -> Batch:
    """A batch of one point."""
    placement = placement or Placement()
    point = Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=8, resolution=16, channels=1), model=Shape.of(depth=1, width=4)
        ),
        batch_per_rank=1,
        precision="float32",
        exchange="ddp",
        placement=placement,
        timing=Timing(),
        seed=number,
    )
    return Batch(
        number=number, points=(point,), nodes=placement.nodes, predicted_s=60.0, time_limit_s=time_limit_s
    )


def order(site: Site, batches: tuple[Batch, ...], folder: Path) -> Order:
    """An order with a report."""
    return Order(site=site, batches=batches, data_folder=folder / "data", reports_folder=folder / "reports")


def site_of(scheduler: SchedulerName, **changes: object) -> Site:
    return replace(FULL, scheduler=scheduler, qos="high" if scheduler in WITH_QOS else "", **changes)  # type: ignore[arg-type]


def prepared(site: Site, folder: Path, num_batches: int, placement: Placement = FOUR) -> tuple[Prepared, ...]:
    batches = tuple(batch(number, placement) for number in range(1, num_batches + 1))
    sweep = SweepFolder(folder / "results", "s")
    return prepare(sweep, order(site, batches, folder), 1 if site.scheduler == "flux" else 1000)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("name", ["a\nb", 'a"b', "a\\b", "a\x1bb", "a`b"], ids=repr)
def test_a_folder_that_a_directive_cannot_name_is_refused(scheduler: SchedulerName, name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot name|control characters"):
        prepared(site_of(scheduler), Path("/srv") / name, 1)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_data_folder_with_a_new_line_cannot_begin_a_directive(scheduler: SchedulerName) -> None:
    asked = replace(
        order(site_of(scheduler), (batch(1),), Path("/srv")), data_folder=Path("/srv/a\n#BSUB -J evil")
    )
    with pytest.raises(UsageError, match="control characters"):
        prepare(SweepFolder(Path("/srv/r"), "s"), asked, 1000)


HOSTILE = (
    "$(touch CANARY)", "`touch CANARY`", "; touch CANARY", "' touch CANARY '", '" touch CANARY "', "a\\",
    "%j %x", "-n", "ü 漢", "!touch CANARY", "${IFS}", "*", "~", "#x", "$0", "&& touch CANARY",
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_variables_reach_the_driver_as_they_are_and_run_nothing(value: str, tmp_path: Path) -> None:
    site = Site(environment={"HOSTILE": value})
    text = "\n".join([*preparation(site), "printf '%s' \"$HOSTILE\""])
    done = subprocess.run(["bash", "-c", text], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == value
    assert list(tmp_path.iterdir()) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_quoted(value: str) -> None:
    line = preparation(Site(environment={"V": value}))[-1]
    done = subprocess.run(["bash", "-c", f"{line}\nprintf '%s' \"$V\""], capture_output=True, check=True)
    assert done.stdout.decode() == value


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_hostile_folders_reach_the_driver_as_they_are_or_are_refused(value: str, tmp_path: Path) -> None:
    name = value.replace("/", "_")
    try:
        (one,) = prepared(Site(name="x", scheduler="slurm"), tmp_path / name, 1)
    except UsageError:
        assert any(letter in name for letter in '"\\`')
        return
    done = bash(stubbed(one.script, "0", "0"), tmp_path)
    assert done.returncode == 0
    assert str([0, 0, str(tmp_path / name / "results" / "s")])[8:-1] in done.stdout
    assert not list(tmp_path.rglob("CANARY"))


def stubbed(script: str, *arguments: str) -> str:
    """The script with another program in the driver's place, which gets the driver's arguments last."""
    mine = shlex.join([sys.executable, "-c", STUB, *arguments])
    driver = shlex.join([sys.executable, "-m", "saih.launch.allocation"])
    report = shlex.join([sys.executable, "-c", "from saih.cli import main; main()"])
    return script.replace(driver, mine).replace(report, "echo report:")


def job_environment(folder: Path) -> Mapping[str, str]:
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n1", "SLURM_ARRAY_TASK_ID": "1",
        "PBS_JOBID": "7.s", "PBS_ARRAY_INDEX": "1", "LSB_JOBID": "7", "LSB_JOBINDEX": "2",
    }  # fmt: skip


def bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash"],
        input=script,
        cwd=folder,
        env=job_environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("code", [0, 1, 3])
def test_the_drivers_exit_code_passes_through_and_is_said_last(
    scheduler: SchedulerName, code: int, tmp_path: Path
) -> None:
    (one,) = prepared(Site(scheduler=scheduler), tmp_path, 1)
    done = bash(stubbed(one.script, "0", str(code)), tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[0].startswith(
        "SAIH measures s, submission 1: job 7" if scheduler != "flux" else "SAIH"
    )
    assert done.stdout.splitlines()[-1] == f"saih: ended with {code}"
    assert ("report: report" in done.stdout) is (code == 0)


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "lsf"])
def test_an_element_of_an_array_tells_the_driver_its_index(scheduler: SchedulerName, tmp_path: Path) -> None:
    measure = prepared(Site(scheduler=scheduler), tmp_path, 2)[1]
    done = bash(stubbed(measure.script, "0", "0"), tmp_path)
    assert f"'{tmp_path}/results/s', '2', '1']" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("name", "is_requeued"), [("USR2", True), ("TERM", False)])
def test_a_signal_reaches_the_driver_at_once_and_only_a_notice_requeues(
    name: str, *, is_requeued: bool, tmp_path: Path
) -> None:
    (one,) = prepared(Site(scheduler="slurm"), tmp_path, 1)
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    (tmp_path / "script.sh").write_text(stubbed(one.script, "60", "0"))
    begin = time.monotonic()
    with subprocess.Popen(
        ["bash", "script.sh"],
        cwd=tmp_path,
        env=job_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        while "driver has" not in (line := process.stdout.readline()):
            assert line, "the script ended before its driver began"
        process.send_signal(signal.Signals[f"SIG{name}"])
        rest = process.stdout.read()
    assert process.returncode == 75
    assert time.monotonic() - begin < 20
    assert f"driver got SIG{name}" in rest
    assert (tmp_path / "asked").exists() is is_requeued
    if is_requeued:
        assert (tmp_path / "asked").read_text() == "requeue 7\n"
        assert rest.splitlines()[-1] == "saih: ended with 75: stopped before the end; requeued"


@pytest.mark.slow
def test_a_signal_before_the_driver_listens_leaves_the_job_to_be_continued(tmp_path: Path) -> None:
    (one,) = prepared(Site(scheduler="slurm", is_requeued=False), tmp_path, 1)
    driver = shlex.join([sys.executable, "-m", "saih.launch.allocation"])
    deaf = one.script.replace(driver, f"sh -c 'touch {tmp_path}/up; exec sleep 60'")
    process = subprocess.Popen(
        ["bash", "-c", deaf],
        cwd=tmp_path,
        env=job_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "up").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR2)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 75
    assert out.splitlines()[-1] == "saih: ended with 75"
