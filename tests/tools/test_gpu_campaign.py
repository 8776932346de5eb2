"""The campaign for a GPU without MPI runs whole on a CPU in small, names what it lacks, and ends in time."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Placement
from saih.machine.environment import capture
from saih.store.bundle_verify import opened, verify
from saih.store.ceilings_file import write_ceilings
from tools import gpu_campaign_program as program

NO_MPI = 'raise ImportError("there is no MPI here")\n'


@pytest.fixture
def without_mpi(tmp_path: Path) -> dict[str, str]:
    """An environment whose mpi4py does not load, with no launcher on PATH."""
    package = tmp_path / "hidden" / "mpi4py"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(NO_MPI)
    base = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(package.parent)}
    return program.environment_of(base, tmp_path / "packages")


def know_ceilings(results: Path) -> None:
    """As if they had been measured: that takes a minute."""
    rate = Interval(low=1e12, value=1e12, high=1e12, level=0.95, count=9)
    curves = [
        Ceiling(
            kind=CeilingKind.GEMM,
            precision=precision,
            unit="FLOP/s",
            size_unit="",
            sizes=(64.0,),
            rates=(rate,),
        )
        for precision in ("float32", "bfloat16")
    ]
    write_ceilings(
        results,
        Ceilings(
            environment_id=capture().environment_id,
            placement_label=Placement().seats_label,
            curves=tuple(curves),
            measured_utc="2030-01-01T00:00:00Z",
            all_reduce_latency_s=None,
            all_reduce_bytes_per_s=None,
            vendor_flops_per_s={},
        ),
    )


@pytest.mark.slow
def test_the_campaign_runs_whole_on_one_rank_without_any_mpi(
    tmp_path: Path, without_mpi: dict[str, str]
) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    out.mkdir()
    know_ceilings(work / "results")
    campaign = program.Campaign(out=out, work=work, environment=without_mpi, ends_s=time.monotonic() + 240)
    assert program.measure(campaign, program.QUICK), campaign.log.read_text()
    program.keep(campaign, has_reports=False)
    with opened(out / "campaign.saih.zip") as descriptor:
        bundle = verify(descriptor)
    assert bundle.about.num_points == 4
    assert bundle.about.is_anonymised
    points = json.loads((out / "campaign.json").read_text())["points"]
    executions = Counter(point["point"]["execution"]["name"] for point in points)
    assert executions == {"reference": 2, "tuned": 2}
    for point in points:
        assert point["samples_per_s"]["value"] > 0
        assert point["point"]["placement"]["device"] == "cpu"
        assert point["point"]["supply"]["input"] == "synthetic"


def test_what_is_missing_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(program.NEEDED, "a_module_of_nobody", "some-package")
    assert program.main(["run", "--out", str(tmp_path / "out"), "--device", "cpu", "--quick"]) == 3
    said = capsys.readouterr().err
    assert "missing here: some-package." in said
    assert f"tools/gpu_campaign pack wheels --python {sys.version_info[0]}.{sys.version_info[1]}" in said


def test_a_module_that_was_installed_from_wheels_is_not_missing(tmp_path: Path) -> None:
    needed = {"a_module_of_nobody": "some-package", "sys": "python"}
    assert program.missing(needed, tmp_path) == ["some-package"]
    (tmp_path / "a_module_of_nobody").mkdir()
    assert program.missing(needed, tmp_path) == []


def test_a_command_that_is_late_is_stopped_as_by_hand() -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    begin_s = time.monotonic()
    assert program._waited(sleeper, 1.0) != 0
    assert time.monotonic() - begin_s < 15
