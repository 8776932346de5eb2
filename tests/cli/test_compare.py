"""``saih compare`` over real sweeps: repeats, prices, node to node, history, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
TINY = """\
name: one
workload: cosmoflow
base:
  data: {samples: 8, resolution: 8, channels: 1, universes: 2}
  model: {depth: 1, width: 2}
axes:
  data: {resolution: [8, 16]}
timing: {warmup_steps: 1, min_steps: 8, max_steps: 8, budget_s: 5}
"""
NAMES = ("one", "two", "three")


def saih(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SAIH, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    (path / "one.yaml").write_text(TINY)
    for name in NAMES:
        done = saih(path, "sweep", "one.yaml", "--name", name)
        assert done.returncode == 0, done.stderr
    return path


def test_two_sweeps_give_both_reports_and_one_document(folder: Path) -> None:
    done = saih(folder, "compare", "one", "two", "--json", "--output", "out/mine.pdf")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["version"]) == ("saih.comparison", 2)
    (pair,) = document["pairs"]
    assert len(pair["matched"]) == 2
    assert pair["only_a"] == pair["only_b"] == []
    assert document["reports"] == {"html": "out/mine.html", "pdf": "out/mine.pdf"}
    assert (folder / "out/mine.pdf").read_bytes().startswith(b"%PDF-")
    page = (folder / "out/mine.html").read_text()
    assert "saih-claims" in page
    assert all(f"@{name}" in page for name in ("one", "two"))


def test_repeats_prices_and_nodes(folder: Path) -> None:
    done = saih(
        folder,
        "compare",
        "A=one,two",
        "B=three",
        "--match",
        "nodes",
        "--price",
        "A=2",
        "--price",
        "B=1",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    (pair,) = json.loads(done.stdout)["pairs"]
    assert [len(point["records_a"]) for point in pair["matched"]] == [2, 2]
    assert "repeated points" in pair["noise"]["source"]
    views = {view["view"]: view["ratio"] for view in pair["views"]}
    assert views["per price"]["value"] == pytest.approx(views["per system"]["value"] / 2)
    assert views["per GPU"] is None


def test_three_sweeps_stand_each_against_each(folder: Path) -> None:
    done = saih(folder, "compare", *NAMES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("geometric mean of the speed ratios:") == 3
    assert done.stdout.splitlines()[-1] == "reports/one-and-two-and-three.pdf"


def test_a_sweep_against_itself_is_never_different(folder: Path) -> None:
    done = saih(folder, "compare", "one", "one")
    assert "one is not told apart from one (2): 1.00x" in done.stdout


def test_a_history_of_three_runs_says_that_it_is_too_short(folder: Path) -> None:
    done = saih(folder, "compare", "--history", *reversed(NAMES), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [run["name"] for run in document["runs"]] == list(NAMES)
    assert "changes are told from 6 on" in document["overall"]["remark"]
    assert (folder / document["report"]).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("one",), "one sweep cannot be compared"),
        (("one", "two", "--price", "three=1"), "--price names 'three', which is not compared"),
        (("one", "two", "--price", "one=dear"), "--price 'one=dear' is not SYSTEM=PRICE"),
        (("one", "two", "--price", "one=-3"), "-3.0 is no price of a node-hour"),
        (("one", "two", "--price", "one=nan"), "nan is no price of a node-hour"),
        (("one", "two", "--noise", "0"), "--noise"),
        (("one", "two", "--noise", "nan"), "nan is not a number above 0"),
        (("one", "A="), "'A=' names no sweep"),
        (("one", "A=one,nothing"), "there is no sweep 'nothing'"),
        (("one", "two", "--match", "ranks"), "ranks"),
        (("A=one,two,one", "three"), "one hold the same records, and a copy is no repeat"),
        (("--history", "one", "two", "one"), "one hold the same records, and a copy is no repeat"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_value(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = saih(folder, "compare", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
