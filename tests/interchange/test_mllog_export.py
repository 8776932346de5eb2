import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from augment.problem import Problem, Shape
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, AttemptResult, Environment, Outcome, Record, Steps
from saih.interchange.mllog import encode, parse
from saih.interchange.mllog_export import Submitter, events_of, unfilled
from saih.interchange.mlperf_hpc import read_system
from saih.interchange.mlperf_run import runs_of

WHOLE = Submitter(organisation='Org "\u5b87\u5b99"', platform="Examplon", status="onprem")


def record(*, samples: int = 64, num_steps: int = 24, has_steps: bool = True) -> Record:
    phase = tuple(1_000_003 + 17 * step for step in range(num_steps))
    steps = Steps(
        duration_ns=dict.fromkeys(ADDITIVE_PHASES, (phase, phase)),
        step_ns=(tuple(6 * one for one in phase), tuple(7 * one for one in phase)),
        losses=(0.5,) * (num_steps + 3),
        warmup_steps=3,
    )
    return Record(
        sweep_name="tiny",
        point=Point(
            workload="cosmoflow",
            problem=Problem(
                data=Shape.of(samples=samples, resolution=16, channels=4),
                model=Shape.of(width=4, depth=1),
            ),
            batch_per_rank=4,
            precision="float32",
            exchange="ddp",
            placement=Placement(ranks_per_node=2, data_parallel=2),
            timing=Timing(),
            seed=7,
        ),
        attempt=1,
        environment=Environment(facts={}, notes={}, environment_id="e" * 16),
        result=AttemptResult(
            outcome=Outcome.COMPLETED,
            reason="",
            stop_reason="",
            steps=steps if has_steps else None,
            notes={},
        ),
        finished_utc="2026-11-21T01:47:58.856472+00:00",
    )


def log_of(found: Record, submitter: Submitter = WHOLE) -> bytes:
    return "".join(f"{encode(event)}\n" for event in events_of(found, submitter)).encode()


def complaints(log: Path) -> set[str]:
    """Keys that the compliance checker of mlperf-logging complains about."""
    checked = subprocess.run(
        [
            sys.executable, "-m", "mlperf_logging.compliance_checker", "--usage", "hpc",
            "--ruleset", "3.0.0", "--werror", "--log_output", str(log.with_suffix(".checked")), str(log),
        ],
        capture_output=True, text=True, check=False, cwd=log.parent,
    )  # fmt: skip
    said = checked.stdout + checked.stderr
    assert "parsing errors" not in said
    assert ("FAILED" in said) == (checked.returncode != 0)
    patterns = (r"occurrence of '(\w+)'", r"CHECK for '(\w+)' failed", r"Failed checks for (\w+)")
    return {key for pattern in patterns for key in re.findall(pattern, said)}


@pytest.mark.slow
@pytest.mark.parametrize("division", ["open", "closed"])
@pytest.mark.parametrize("is_told", [True, False])
def test_the_compliance_checker_complains_about_exactly_what_is_listed(
    tmp_path: Path, division: str, *, is_told: bool
) -> None:
    told = {"organisation": "Org", "platform": "Examplon", "status": "research"} if is_told else {}
    submitter = Submitter(division=division, **told)
    log = tmp_path / "run.mllog"
    log.write_bytes(log_of(record(), submitter))
    listed = unfilled(events_of(record(), submitter))
    assert complaints(log) == set(listed)
    assert ("submission_org" in listed) == (not is_told)
    assert all(listed.values())


@pytest.mark.slow
def test_a_problem_without_epochs_is_told_without_them(tmp_path: Path) -> None:
    log = tmp_path / "run.mllog"
    log.write_bytes(log_of(record(samples=4)))
    listed = unfilled(events_of(record(samples=4), WHOLE))
    assert "block_start" in listed
    epochs = {"block_start", "block_stop", "epoch_start", "epoch_stop", "eval_start", "eval_stop"}
    assert complaints(log) - epochs == set(listed) - epochs


def test_no_event_says_what_was_not_measured() -> None:
    keys = {event.key for event in events_of(record(), WHOLE)}
    assert not keys & {"eval_error", "eval_samples", "init_start", "init_stop", "cache_clear", "opt_name"}
    (stop,) = [event for event in events_of(record(), WHOLE) if event.key == "run_stop"]
    assert stop.metadata["status"] == "aborted"


def test_what_was_measured_is_told_as_it_was() -> None:
    found = record()
    assert found.result.steps is not None
    values = {event.key: event.value for event in events_of(found, WHOLE)}
    assert values["global_batch_size"] == 8
    assert values["train_samples"] == 64
    assert values["seed"] == 7
    assert values["saih_record"] == found.record_id
    rate = 24 * 8 * 1e9 / sum(found.result.steps.slowest_ns)
    assert values["tracked_stats"] == {"throughput": pytest.approx(rate)}
    (run,) = runs_of(parse(log_of(found), "log"), "log")
    assert run.rates == (pytest.approx(rate, rel=0.01),)  # whole milliseconds
    assert run.epochs[0].num_epochs == 3


def test_the_same_record_gives_the_same_bytes() -> None:
    assert log_of(record()) == log_of(record())
    assert json.loads(log_of(record()).split(b"\n")[2].split(b" ", 1)[1])["value"] == WHOLE.organisation


def test_an_exported_log_is_not_taken_for_a_public_result(tmp_path: Path) -> None:
    log = tmp_path / "run.mllog"
    log.write_bytes(log_of(record()))
    with pytest.raises(UsageError, match="written by `saih export`"):
        read_system(log, "x")


def test_a_record_without_steps_has_no_events() -> None:
    with pytest.raises(ValueError, match="no steps"):
        events_of(record(has_steps=False), WHOLE)
