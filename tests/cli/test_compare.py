"""``saih compare`` over real sweeps: repeats, prices, node to node, history, and what it refuses."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Saih

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def folder(swept_alone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    shutil.copytree(swept_alone, path, dirs_exist_ok=True)
    for name in NAMES[1:]:
        words = [*SAIH, "sweep", "one.yaml", "--name", name, "--no-report"]
        done = subprocess.run(words, cwd=path, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Saih:
    """Commands run in the folder, but in this process, which loads what they need but once."""
    monkeypatch.chdir(folder)
    return Saih(capsys)


def test_two_sweeps_give_both_reports_and_one_document(saih: Saih, folder: Path) -> None:
    done = saih("compare", "one", "two", "--json", "--output", "out/mine.pdf")
    assert done.exit_code == 0, done.err
    document = done.document
    assert (document["schema"], document["version"]) == ("saih.comparison", 2)
    (pair,) = document["pairs"]
    assert len(pair["matched"]) == 2
    assert pair["only_a"] == pair["only_b"] == []
    assert document["reports"] == {"html": "out/mine.html", "pdf": "out/mine.pdf"}
    assert (folder / "out/mine.pdf").read_bytes().startswith(b"%PDF-")
    page = (folder / "out/mine.html").read_text()
    assert "saih-claims" in page
    assert all(f"@{name}" in page for name in ("one", "two"))


def test_repeats_prices_and_nodes(saih: Saih) -> None:
    done = saih(
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
    assert done.exit_code == 0, done.err
    (pair,) = done.document["pairs"]
    assert [len(point["records_a"]) for point in pair["matched"]] == [2, 2]
    assert "repeated points" in pair["noise"]["source"]
    views = {view["view"]: view["ratio"] for view in pair["views"]}
    assert views["per price"]["value"] == pytest.approx(views["per system"]["value"] / 2)
    assert views["per GPU"] is None


def test_three_sweeps_stand_each_against_each(saih: Saih) -> None:
    done = saih("compare", *NAMES)
    assert done.exit_code == 0, done.err
    assert done.out.count("geometric mean of the speed ratios:") == 3
    assert done.out.splitlines()[-1] == "reports/one-and-two-and-three.pdf"


def test_a_sweep_against_itself_is_never_different(saih: Saih) -> None:
    done = saih("compare", "one", "one")
    assert "one is not told apart from one (2): 1.00x" in done.out
    assert "one (2): 2 of its 2 records are copied from one" in done.out
    assert done.out.splitlines()[-1] == "reports/one-and-one-2.pdf"


def test_reports_of_systems_with_other_names_do_not_replace_each_other(saih: Saih, folder: Path) -> None:
    names = ("../x", "-rf", "超算", "نظام", "y" * 300, "one (2)")
    written = set()
    for name in names:
        done = saih("compare", "one", f"./{name}=two" if name == "-rf" else f"{name}=two", "--json")
        assert done.exit_code == 0, done.err
        written.add(done.document["report"])
    assert len(written) == len(names)
    assert all((folder / path).resolve().parent == folder / "reports" for path in written)


def test_a_name_that_stands_with_a_number_already_is_told_apart(saih: Saih) -> None:
    done = saih("compare", "one (2)=two", "one", "one", "--json")
    assert [one["name"] for one in done.document["systems"]] == ["one (2)", "one", "one (3)"]


def test_a_record_that_does_not_verify_ends_with_4_and_is_told(
    saih: Saih, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder / "results/two", tmp_path / "two")
    steps = next((tmp_path / "two").glob("*/attempt-1/steps.h5"))
    steps.write_bytes(steps.read_bytes()[:-1])
    done = saih("compare", "one", str(tmp_path / "two"), "--json")
    assert done.exit_code == 4
    document = done.document
    (damage,) = document["damages"]
    assert str(steps) in damage
    assert damage in done.err
    (caution,) = (one for one in document["systems"][1]["cautions"] if "verify" in one)
    assert caution == "1 file of the results does not verify; what it holds takes no part."
    assert "1 of 2 planned points has no usable record yet." in document["systems"][1]["cautions"]


def test_a_history_of_three_runs_says_that_it_is_too_short(saih: Saih, folder: Path) -> None:
    done = saih("compare", "--history", *reversed(NAMES), "--json")
    assert done.exit_code == 0, done.err
    document = done.document
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
    saih: Saih, arguments: tuple[str, ...], said: str
) -> None:
    done = saih("compare", *arguments)
    assert done.exit_code == 2
    assert said in done.err
    assert "Traceback" not in done.err
