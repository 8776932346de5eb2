"""The benchmark that is made for a GPU runs whole on a CPU, in small; its timings are not looked at."""

import json
from pathlib import Path

import pytest

from benchmarks import energon_gpu_peer
from benchmarks.energon_gpu import PARTS, main
from benchmarks.energon_gpu_report import JSON_FILE, TABLES_FILE

pytestmark = pytest.mark.slow
QUICK = ["--device", "cpu", "--quick", "--out"]


def test_every_part_gives_its_table_and_its_bars(tmp_path: Path) -> None:
    assert main([*QUICK, str(tmp_path), "--host-gib", "0.3"]) == 0
    document = json.loads((tmp_path / JSON_FILE).read_text(encoding="utf-8"))
    sections = {section["title"]: section for section in document["sections"]}
    assert list(sections) == ["No work on padding", "Parked layers", "Largest model"]
    for section in sections.values():
        assert section["failure"] == ""
        assert all(len(row) == len(section["columns"]) for row in section["rows"])
    assert [len(section["rows"]) for section in sections.values()] == [8, 4, 2]
    differing, *_ = sections["Parked layers"]["bars"]
    assert (differing["name"].rpartition(", ")[2], differing["value"]) == (
        "distances with other numbers than resident",
        0,
    )
    resident, pooled = sections["Largest model"]["rows"]
    # Room for three layers: all of them, or one beside two buffers through which four come.
    assert (resident[:3], pooled[:3]) == ([3, 3, 0], [5, 1, 4])
    finite, _ = sections["Largest model"]["bars"]
    assert finite["value"] == 1.0
    tables = (tmp_path / TABLES_FILE).read_text(encoding="utf-8")
    assert tables.count("\n## ") == 3


def test_a_part_that_fails_or_a_peer_that_is_absent_leaves_the_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no memory of any kind")

    monkeypatch.setitem(PARTS, "pooling", broken)
    monkeypatch.setattr(energon_gpu_peer, "missing_of", lambda *names: f"{names[0]} not installed")
    arguments = [*QUICK, str(tmp_path), "--part", "pooling", "--part", "padding"]
    assert main(arguments) == 1
    failed, whole = json.loads((tmp_path / JSON_FILE).read_text(encoding="utf-8"))["sections"]
    assert failed["failure"] == "RuntimeError: no memory of any kind"
    assert whole["failure"] == ""
    assert {row[-1] for row in whole["rows"]} == {"not installed"}
