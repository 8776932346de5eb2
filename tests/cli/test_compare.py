"""``saih compare`` over real sweeps: repeats, prices, node to node, history, and what it refuses."""

import json
import shutil
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
    assert "one (2): 2 of its 2 records are copied from one" in done.stdout
    assert done.stdout.splitlines()[-1] == "reports/one-and-one-2.pdf"


def test_reports_of_systems_with_other_names_do_not_replace_each_other(folder: Path) -> None:
    names = ("../x", "-rf", "超算", "نظام", "y" * 300, "one (2)")
    written = set()
    for name in names:
        done = saih(folder, "compare", "one", f"./{name}=two" if name == "-rf" else f"{name}=two", "--json")
        assert done.returncode == 0, done.stderr
        written.add(json.loads(done.stdout)["report"])
    assert len(written) == len(names)
    assert all((folder / path).resolve().parent == folder / "reports" for path in written)


def test_a_name_that_stands_with_a_number_already_is_told_apart(folder: Path) -> None:
    done = saih(folder, "compare", "one (2)=two", "one", "one", "--json")
    assert [one["name"] for one in json.loads(done.stdout)["systems"]] == ["one (2)", "one", "one (3)"]


def test_a_record_that_does_not_verify_ends_with_4_and_is_told(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "results/two", tmp_path / "two")
    steps = next((tmp_path / "two").glob("*/attempt-1/steps.h5"))
    steps.write_bytes(steps.read_bytes()[:-1])
    done = saih(folder, "compare", "one", str(tmp_path / "two"), "--json")
    assert done.returncode == 4
    document = json.loads(done.stdout)
    (damage,) = document["damages"]
    assert str(steps) in damage
    assert damage in done.stderr
    (caution,) = (one for one in document["systems"][1]["cautions"] if "verify" in one)
    assert caution == "1 file of the results does not verify; what it holds takes no part."
    assert "1 of 2 planned points has no usable record yet." in document["systems"][1]["cautions"]


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
        (("one", "two", "--price", "one=1e-320"), "1e-320 is no price of a node-hour"),
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
