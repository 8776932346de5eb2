"""What schedulers are told: directives, read back strictly, one reader for each scheduler's documentation."""

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from augment.problem import Problem, Shape
from saih.domain.batch import Batch
from saih.domain.point import Placement, Point, Timing
from saih.domain.site import SchedulerName, Site
from saih.launch.submission_plan import Order, Prepared, prepare
from saih.store.sweep_folder import SweepFolder

_WORD = r"[A-Za-z0-9._-]+"
_PATH = r"/[A-Za-z0-9_./+=,~-]+"
SLURM = {
    # sbatch(1), section OPTIONS
    "--job-name": _WORD,
    "--output": r"/.+/log-(%j|%A_%a)\.txt",
    "--open-mode": "append",
    "--time": r"\d{2,}:[0-5]\d:[0-5]\d",
    "--nodes": r"[1-9]\d*",
    "--ntasks-per-node": r"[1-9]\d*",
    "--cpus-per-task": r"[1-9]\d*",
    "--signal": r"B:USR2@\d{1,5}",
    "--kill-on-invalid-dep": "yes",
    "--partition": _WORD,
    "--account": _WORD,
    "--qos": _WORD,
    "--constraint": r"[A-Za-z0-9._=:,&|-]+",
    "--gpus-per-node": r"[1-9]\d*",
    "--array": r"0-\d+%[1-9]\d*",
    "--exclusive": None,
    "--mem": "0",
    "--requeue": None,
    "--no-requeue": None,
    "--reservation": _WORD,
}
PBS = {
    # PBS Professional 2022.1 Reference Guide, section 2.57 (qsub)
    "-N": r"[A-Za-z][A-Za-z0-9._-]{0,14}",  # 15 characters: what older servers take
    "-j": "oe",
    "-o": _PATH + "/",
    "-l": r"walltime=\d{2,}:[0-5]\d:[0-5]\d"
    r"|select=[1-9]\d*:ncpus=[1-9]\d*:mpiprocs=[1-9]\d*(:ngpus=[1-9]\d*)?(:[A-Za-z0-9._=]+)?"
    r"|place=scatter(:excl)?",
    "-q": _WORD,
    "-A": _WORD,
    "-J": r"0-[1-9]\d*%[1-9]\d*",
    "-r": "[yn]",
}
LSF = {
    # IBM Spectrum LSF 10.1 command reference, bsub
    "-J": rf"{_WORD}(\[1-[1-9]\d*\]%[1-9]\d*)?",
    "-o": _PATH + r"/log-(%J|%J_%I)\.txt",
    "-W": r"\d+:[0-5]\d",
    "-n": r"[1-9]\d*",
    "-R": r"span\[ptile=[1-9]\d*\] affinity\[core\([1-9]\d*\)\]|select\[[A-Za-z0-9._=:,&|-]+\]",
    "-wa": "USR2",
    "-wt": r"\d+:[0-5]\d",
    "-q": _WORD,
    "-P": _WORD,
    "-sla": _WORD,
    "-gpu": r"num=[1-9]\d*/host",
    "-x": None,
    "-r": None,
    "-rn": None,
    "-Q": "75",
}
FLUX = {
    # flux-core, doc/man1/flux-batch.rst and doc/man1/common/
    "--job-name": _WORD,
    "--output": _PATH + r"/log-\{\{id\}\}\.txt",
    "--time-limit": r"[1-9]\d*s",
    "--nodes": r"[1-9]\d*",
    "--nslots": r"[1-9]\d*",
    "--cores-per-slot": r"[1-9]\d*",
    "--gpus-per-slot": r"[1-9]\d*",
    "--signal": r"SIGUSR2@[1-9]\d*s",
    "--queue": _WORD,
    "--setattr": rf"bank={_WORD}",
    "--requires": r"[A-Za-z0-9._=:,&|-]+",
    "--exclusive": None,
}
PREFIXES = {"slurm": "#SBATCH ", "pbs": "#PBS ", "lsf": "#BSUB ", "flux": "# flux: "}
_KNOWN = {"slurm": SLURM, "pbs": PBS, "lsf": LSF, "flux": FLUX}
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


def directives_of(scheduler: str, script: str) -> list[tuple[str, str | None]]:
    """Options and values of the directives, as the scheduler reads them; AssertionError for anything else."""
    lines = script.split("\n")
    assert lines[0] == "#!/bin/bash"
    prefix = PREFIXES[scheduler]
    count = sum(prefix.strip() in line for line in lines)
    # All schedulers stop at (or refuse, or should not see) directives after the first command.
    head = [line for line in lines[1:] if line.startswith("#")]
    block = head[1 : 1 + count]
    assert lines[2 : 2 + count] == block
    found = [_read(scheduler, line.removeprefix(prefix)) for line in block if line.startswith(prefix)]
    assert len(found) == count
    return found


def _read(scheduler: str, text: str) -> tuple[str, str | None]:
    words = shlex.split(text)
    name, equals, value = words[0].partition("=") if words[0].startswith("--") else (words[0], "", "")
    rest = [value] if equals else words[1:]
    assert len(rest) <= 1, text
    known = _KNOWN[scheduler]
    assert name in known, text
    pattern = known[name]
    if pattern is None:
        assert not rest, text
        return name, None
    assert rest, text
    assert re.fullmatch(pattern, rest[0]), text
    return name, rest[0]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("num_batches", [1, 3])
def test_scripts_hold_documented_directives_only_and_are_bash(
    scheduler: SchedulerName, num_batches: int
) -> None:
    for site in (site_of(scheduler), Site(scheduler=scheduler, is_exclusive=False, is_requeued=False)):
        for one in prepared(site, Path("/srv/x"), num_batches):
            assert directives_of(scheduler, one.script)
            assert "@" not in one.script.replace("USR2@", "")
            subprocess.run(["bash", "-n"], input=one.script.encode(), check=True)


def test_slurm_is_asked_for_what_the_placement_needs() -> None:
    (one,) = prepared(site_of("slurm"), Path("/srv/x"), 1)
    found = dict(directives_of("slurm", one.script))
    assert found == {
        "--job-name": one.submission.token,
        "--output": "/srv/x/results/s/submissions/submission-1/log-%j.txt",
        "--open-mode": "append",
        "--time": "00:10:00",
        "--nodes": "2",
        "--ntasks-per-node": "4",
        "--cpus-per-task": "3",
        "--gpus-per-node": "4",
        "--signal": "B:USR2@120",
        "--kill-on-invalid-dep": "yes",
        "--partition": "gpu",
        "--account": "proj",
        "--qos": "high",
        "--constraint": "a100",
        "--exclusive": None,
        "--mem": "0",
        "--requeue": None,
    }


@pytest.mark.parametrize(
    ("ranks", "tasks", "cores"), [(8, "8", "1"), (4, "4", "2"), (3, "8", "1"), (1, "1", "8")]
)
def test_placements_that_divide_a_node_differently_share_an_allocation_of_no_more_cores_than_either(
    ranks: int, tasks: str, cores: str
) -> None:
    wide = batch(1, Placement(ranks_per_node=ranks, data_parallel=ranks))
    deep = batch(2, Placement(threads_per_rank=8))
    both = replace(wide, points=wide.points + deep.points)
    (one,) = prepare(SweepFolder(Path("/srv/r"), "s"), order(site_of("slurm"), (both,), Path("/srv")), 1000)
    found = dict(directives_of("slurm", one.script))
    assert (found["--ntasks-per-node"], found["--cpus-per-task"]) == (tasks, cores)


def test_several_batches_make_data_sets_then_one_array_for_each_shape_then_the_report() -> None:
    batches = (batch(1, FOUR), batch(2), batch(3), batch(4, FOUR, time_limit_s=1200.0))
    jobs = prepare(SweepFolder(Path("/srv/r"), "s"), order(site_of("slurm"), batches, Path("/srv")), 1000)
    assert [(one.submission.task, one.submission.batches, one.submission.after) for one in jobs] == [
        ("generate", (1, 2, 3, 4), ()),
        ("measure", (2, 3), (1,)),
        ("measure", (1, 4), (1,)),
        ("report", (), (2, 3)),
    ]
    options = [list(one.command)[2:-1] for one in jobs]
    assert options == [
        [],
        ["--dependency=afterok:<job of submission 1>"],
        ["--dependency=afterok:<job of submission 1>"],
        ["--dependency=afterany:<job of submission 2>:<job of submission 3>"],
    ]
    array = dict(directives_of("slurm", jobs[2].script))
    assert (array["--array"], array["--time"]) == ("0-1%2", "00:20:00")
    assert dict(directives_of("slurm", jobs[0].script))["--nodes"] == "1"
    assert "saih.launch.allocation" not in jobs[3].script
    assert "report /srv/r/s --reports" in jobs[3].script


def test_the_job_that_makes_data_sets_asks_for_the_time_that_was_predicted_for_it() -> None:
    asked = order(site_of("slurm"), (batch(1), batch(2)), Path("/srv"))
    for limit_s, time in ((420.0, "00:07:00"), (None, "00:20:00"), (1e9, "24:00:00")):
        jobs = prepare(SweepFolder(Path("/srv/r"), "s"), replace(asked, generating_limit_s=limit_s), 1000)
        assert jobs[0].submission.time_limit_s == limit_s
        assert dict(directives_of("slurm", jobs[0].script))["--time"] == time
        assert dict(directives_of("slurm", jobs[1].script))["--time"] == "00:10:00"


def test_an_array_is_cut_where_the_scheduler_takes_no_larger_one() -> None:
    batches = tuple(batch(number) for number in range(1, 8))
    sweep = SweepFolder(Path("/srv/r"), "s")
    jobs = prepare(sweep, order(site_of("slurm"), batches, Path("/srv")), 3)
    assert [one.submission.batches for one in jobs[1:-1]] == [(1, 2, 3), (4, 5, 6), (7,)]


def test_preparing_twice_gives_the_same_bytes() -> None:
    first, second = (prepared(site_of("slurm"), Path("/srv/x"), 2) for _ in range(2))
    assert [one.script for one in first] == [one.script for one in second]
    assert [one.command for one in first] == [one.command for one in second]
    names = {one.submission.token for one in first}
    assert len(names) == len(first)
    assert not names & {one.submission.token for one in prepared(site_of("slurm"), Path("/srv/y"), 2)}
