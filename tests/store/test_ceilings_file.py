"""Ceilings are kept for each environment and placement, and believed only when they verify."""

from dataclasses import replace
from pathlib import Path

import pytest

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.errors import DamagedData, SaihError
from saih.domain.interval import Interval
from saih.domain.point import Placement
from saih.store.ceilings_file import read_ceilings, write_ceilings

PLACEMENT = Placement(ranks_per_node=2, data_parallel=2)


@pytest.fixture
def ceilings() -> Ceilings:
    rate = Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=3)
    memory = Ceiling(
        kind=CeilingKind.MEMORY, precision="", unit="B/s", size_unit="B", sizes=(1.0,), rates=(rate,)
    )
    return Ceilings(
        environment_id="e" * 16,
        placement_label=PLACEMENT.label,
        curves=(memory,),
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=1e-6,
        all_reduce_bytes_per_s=1e9,
        vendor_flops_per_s={},
    )


def test_ceilings_are_found_again_by_environment_and_placement(tmp_path: Path, ceilings: Ceilings) -> None:
    assert read_ceilings(tmp_path, "e" * 16, PLACEMENT) is None
    write_ceilings(tmp_path, ceilings)
    assert read_ceilings(tmp_path, "e" * 16, PLACEMENT) == ceilings
    assert read_ceilings(tmp_path, "f" * 16, PLACEMENT) is None
    assert read_ceilings(tmp_path, "e" * 16, Placement()) is None


def test_newer_ceilings_count_and_the_older_ones_stay_behind_them(tmp_path: Path, ceilings: Ceilings) -> None:
    write_ceilings(tmp_path, ceilings)
    newer = replace(ceilings, measured_utc="2026-02-01T00:00:00+00:00")
    write_ceilings(tmp_path, newer)
    found = read_ceilings(tmp_path, "e" * 16, PLACEMENT)
    assert found is not None
    assert replace(found, superseded=()) == newer
    assert [old.measured_utc for old in found.superseded] == [ceilings.measured_utc]
    assert found.in_force("2026-01-15T00:00:00+00:00") == found


def test_after_a_drift_records_from_before_find_the_older_ceilings(
    tmp_path: Path, ceilings: Ceilings
) -> None:
    write_ceilings(tmp_path, ceilings)
    newer = replace(ceilings, measured_utc="2026-02-01T00:00:00+00:00", curves=ceilings.curves * 2)
    write_ceilings(tmp_path, newer, has_drifted=True, reason="drifted: memory")
    found = read_ceilings(tmp_path, "e" * 16, PLACEMENT)
    assert found is not None
    assert found.in_force("2026-01-15T00:00:00+00:00") == ceilings
    assert found.superseded[0].reason == "drifted: memory"


def test_ceilings_of_another_precision_stay_beside_newer_ones(tmp_path: Path, ceilings: Ceilings) -> None:
    def of(precision: str) -> Ceilings:
        product = replace(ceilings.curves[0], kind=CeilingKind.GEMM, precision=precision)
        return replace(ceilings, curves=(*ceilings.curves, product), vendor_flops_per_s={precision: 1e12})

    for precision in ("float32", "bfloat16", "bfloat16"):
        write_ceilings(tmp_path, of(precision))
    found = read_ceilings(tmp_path, "e" * 16, PLACEMENT)
    assert found is not None
    assert [curve.precision for curve in found.curves] == ["", "bfloat16", "float32"]
    assert found.vendor_flops_per_s == {"float32": 1e12, "bfloat16": 1e12}


def test_damaged_and_misplaced_ceilings_are_refused(tmp_path: Path, ceilings: Ceilings) -> None:
    path = write_ceilings(tmp_path, ceilings)
    path.write_bytes(path.read_bytes().replace(b"2.0", b"9.0"))
    with pytest.raises(DamagedData, match=r"does not match its checksum.*\n.*`saih ceilings`"):
        read_ceilings(tmp_path, "e" * 16, PLACEMENT)
    other = write_ceilings(tmp_path, replace(ceilings, environment_id="f" * 16))
    path.write_bytes(other.read_bytes())
    with pytest.raises(DamagedData, match="in environment ffff"):
        read_ceilings(tmp_path, "e" * 16, PLACEMENT)


def test_ceilings_that_cannot_be_written_are_an_error_in_words(tmp_path: Path, ceilings: Ceilings) -> None:
    (tmp_path / "ceilings").write_text("a file in the way")
    with pytest.raises(SaihError, match=r"cannot write in .*: Not a directory"):
        write_ceilings(tmp_path, ceilings)
