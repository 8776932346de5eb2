"""What a plan tells of time, storage and energy, and of machines that are not here."""

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Saih

from saih.config.preset import preset_sweep
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.limits import Limits
from saih.machine.environment import capture
from saih.planner.plan import make_plan
from saih.store.ceilings_file import write_ceilings

SITE = """\
name: big
scheduler: slurm
gpus_per_node: 4
gpu_memory_GiB: 80
max_time_h: 12
"""


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Saih:
    monkeypatch.chdir(tmp_path)
    return Saih(capsys)


def test_the_official_data_set_is_planned_on_paper_with_its_universes_and_rate(saih: Saih) -> None:
    said = saih("plan", "official", "--on-paper")
    assert said.exit_code == 0
    assert "9216 universes of 512^3 particles x 20 steps at" in said.out
    assert "particle-steps/s of a core" in said.out
    assert "data sets: 9.9 TB uncompressed, at most 4.95 TB on disk" in said.out
    assert "rates assumed" in said.out


def test_a_disk_that_is_too_small_is_told_where_the_plan_is_not_on_paper(saih: Saih) -> None:
    said = saih("plan", "official")
    assert said.exit_code == 2
    assert "on the disk of the data folder" in said.err


def test_the_named_ladder_goes_from_a_gflop_to_a_pflop_a_sample(saih: Saih) -> None:
    document = saih("plan", "ladder", "--on-paper", "--json").document
    flops = [point["flops_per_sample"] for point in document["points"]]
    assert len(flops) == 7
    assert all(abs(one / 10**exponent - 1) < 0.125 for one, exponent in zip(flops, range(9, 16), strict=True))


def test_rungs_that_no_gpu_holds_are_dropped_with_the_bytes(saih: Saih, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE.replace("80", "1"))
    document = saih("plan", "ladder", "--on-paper", "--site", "site.yaml", "--json").document
    assert document["dropped"]
    assert all("a GPU has 1.07 GB" in dropped["reason"] for dropped in document["dropped"])


def test_energy_is_told_where_a_site_says_its_power(saih: Saih, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(SITE + "power_W_per_node: 2000\n")
    document = saih("plan", "ladder", "--on-paper", "--site", "site.yaml", "--json").document
    assert document["demand"]["joules"] == pytest.approx(document["demand"]["node_hours"] * 3600 * 2000)
    said = saih("plan", "ladder", "--on-paper", "--site", "site.yaml")
    assert "power_W_per_node of the site file" in said.out
    (tmp_path / "site.yaml").write_text(SITE)
    assert "energy" not in saih("plan", "ladder", "--on-paper", "--site", "site.yaml").out


def test_the_iso_preset_says_how_well_it_holds(saih: Saih) -> None:
    said = saih("plan", "iso", "--on-paper")
    assert said.exit_code == 0
    assert "sweep iso: 3 points" in said.out
    assert "iso: the FLOP of a step of all ranks within" in said.out


def measured(placement_label: str, environment_id: str = "") -> Ceilings:
    rate = Interval(low=1e12, value=1e12, high=1e12, level=0.95, count=9)
    peak = Ceiling(
        kind=CeilingKind.GEMM, precision="float32", unit="FLOP/s", size_unit="", sizes=(64.0,), rates=(rate,)
    )
    return Ceilings(
        environment_id=environment_id or capture().environment_id,
        placement_label=placement_label,
        curves=(peak, replace(peak, kind=CeilingKind.MEMORY, precision="")),
        measured_utc="2030-01-01T00:00:00Z",
        all_reduce_latency_s=1e-5,
        all_reduce_bytes_per_s=1e10,
        vendor_flops_per_s={},
    )


def test_times_follow_from_ceilings_of_this_machine_where_they_were_measured(saih: Saih) -> None:
    slow = saih("plan", "laptop", "--json").document
    assert "assumed" in slow["rates"]
    label = make_plan(preset_sweep("laptop"), Limits()).placements[0].seats_label
    write_ceilings(Path("results"), measured(label))
    fast = saih("plan", "laptop", "--json").document
    assert fast["rates"].startswith("rates from measured ceilings: 20% of the peak")
    assert fast["demand"]["node_hours"] < slow["demand"]["node_hours"]
    assert "rates from measured ceilings" in saih("plan", "laptop").out
    ranks = saih("plan", "laptop", "--axis", "ranks")
    assert "for 1 of 2 placements; assumed for the rest" in ranks.out


def test_ceilings_that_do_not_verify_are_passed_over(saih: Saih) -> None:
    label = make_plan(preset_sweep("laptop"), Limits()).placements[0].seats_label
    path = write_ceilings(Path("results"), measured(label))
    path.write_text(path.read_text().replace("1.0", "2.0", 1) + " ")
    assert "rates assumed" in saih("plan", "laptop").out


def test_a_site_is_planned_by_the_ceilings_of_its_nodes_if_those_are_the_only_ones(
    saih: Saih, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text("name: big\nscheduler: slurm\n")
    label = make_plan(preset_sweep("laptop"), Limits()).placements[0].seats_label
    plan = ("plan", "laptop", "--site", "site.yaml", "--json")
    write_ceilings(Path("results"), measured(label))
    assert "assumed" in saih(*plan).document["rates"]
    write_ceilings(Path("results"), measured(label, "0123456789abcdef"))
    assert saih(*plan).document["rates"].startswith("rates from measured ceilings")
    write_ceilings(Path("results"), measured(label, "fedcba9876543210"))
    assert "assumed" in saih(*plan).document["rates"]
