"""A machine is compared with its ceilings, and measured anew where it has left them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mpi4py import MPI

from augment.problem import Problem, Shape
from saih.domain.ceiling import Ceilings
from saih.domain.job import Job
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment
from saih.harness import ceilings_job
from saih.harness.ceilings_job import check_ceilings
from saih.harness.ranks import take_seats
from saih.store.ceilings_file import read_ceilings, write_ceilings
from workloads.execution import TUNED

ENVIRONMENT = Environment(facts={}, notes={}, environment_id="e" * 16)

pytestmark = pytest.mark.slow


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Ceilings]:
    """Check the ceilings of one rank with little time; gives those that are in use afterwards."""
    monkeypatch.setattr(ceilings_job, "BUDGET_S", 1.0)
    monkeypatch.setattr(ceilings_job, "CHECK_BUDGET_S", 0.5)
    point = Point(
        workload="cosmoflow",
        problem=Problem(data=Shape.of(resolution=16), model=Shape.of(width=4)),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=1,
    )
    job = Job(
        task="check_ceilings",
        sweep_name="s",
        results_folder=str(tmp_path / "results"),
        data_folder=str(tmp_path / "data"),
        placement=point.placement,
        points=(point,),
    )

    def run() -> Ceilings:
        check_ceilings(job, take_seats(MPI.COMM_SELF, job.placement), ENVIRONMENT)
        found = read_ceilings(tmp_path / "results", ENVIRONMENT.environment_id, job.placement)
        assert found is not None
        return found

    return run


def test_ceilings_that_the_machine_left_far_behind_are_measured_anew_and_kept(
    check: Callable[[], Ceilings], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = check()
    assert first.curves
    assert first.superseded == ()
    far = tuple(
        replace(curve, rates=tuple(rate.scaled(1000.0) for rate in curve.rates)) for curve in first.curves
    )
    (tmp_path / "results" / "ceilings").rename(tmp_path / "first")
    wrong = replace(first, curves=far, measured_utc="2025-01-01T00:00:00+00:00")
    write_ceilings(tmp_path / "results", wrong)
    capfd.readouterr()
    found = check()
    said = capfd.readouterr().out
    if "cannot tell" in said:  # others use the cores of this machine just now
        assert found == wrong
    else:
        assert "have drifted" in said
        assert [old.curves for old in found.superseded] == [far]
        assert found.in_force("2025-06-01T00:00:00+00:00").curves == far
        assert found.in_force("2100-01-01T00:00:00+00:00") is found


def test_arithmetic_is_measured_in_every_number_format_that_a_search_may_choose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceilings_job, "BUDGET_S", 1.0)
    monkeypatch.setattr(ceilings_job, "ADDED_BUDGET_S", 0.5)
    point = Point(
        workload="cosmoflow",
        problem=Problem(data=Shape.of(resolution=16), model=Shape.of(width=4)),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=1,
        execution=TUNED,
    )
    job = Job(
        task="ceilings",
        sweep_name="s",
        results_folder=str(tmp_path / "results"),
        data_folder=str(tmp_path / "data"),
        placement=point.placement,
        points=(point,),
    )
    ceilings_job.measure_ceilings(job, take_seats(MPI.COMM_SELF, job.placement), ENVIRONMENT)
    found = read_ceilings(tmp_path / "results", ENVIRONMENT.environment_id, job.placement)
    assert found is not None
    assert found.precisions == {"float32", "bfloat16"}
    for precision in found.precisions:
        assert found.peak_flops_per_s(precision) is not None
    names = [(curve.name, curve.precision) for curve in found.curves]
    assert len(set(names)) == len(names)
