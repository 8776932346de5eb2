"""A whole sweep with two real ranks: measured once, continued after a stop, told in every form."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest

pytestmark = pytest.mark.slow

SAIH = (sys.executable, "-c", "from saih.cli import main; main()")
TINY = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1, universes: 2}
  model: {depth: 1, width: 4}
axes:
  data: {resolution: [8, 16]}
  model: {width: [2, 4]}
placement: {ranks_per_node: 2}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 1000, relative_width: 0.001, budget_s: 1}
"""
"""Points of about a second, so that a stop after the first leaves some that were not begun."""
GROWN = """\
name: grown
workload: cosmoflow
base:
  data: {samples: 8, resolution: 8, channels: 1, universes: 2}
  model: {depth: 1, width: 2}
axes:
  model: {width: [2, 3, 4, 5, 6, 8]}
placement: {ranks_per_node: 2}
timing: {warmup_steps: 100, min_steps: 8, max_steps: 40, relative_width: 0.001, budget_s: 5}
"""
"""Six points along one axis, of which an adaptive sweep begins with four; warm-up makes them last a while."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, know_ceilings: Callable[[Path], None]) -> Path:
    path = tmp_path_factory.mktemp("sweep")
    (path / "tiny.yaml").write_text(TINY)
    know_ceilings(path / "results")
    return path


def saih(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SAIH, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )


def finished(folder: Path) -> dict[str, int]:
    """Every finished attempt with the time of its last write."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("results/tiny/*/attempt-*/outcome*")}


def told_when_free(folder: Path, name: str) -> str:
    """What status says of a killed sweep once its ranks have ended: for a moment they still hold it."""
    deadline = time.monotonic() + 60
    while "next: saih sweep" not in (told := saih(folder, "status", name).stderr):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return told


def test_a_sweep_stopped_by_ctrl_c_continues_with_the_same_command(folder: Path) -> None:
    with subprocess.Popen(
        [*SAIH, "sweep", "tiny.yaml"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if line.startswith("[1/4] "))
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "completed" in said
    assert process.returncode == 130
    assert out == ""
    assert "run the same command again to continue" in err
    before = finished(folder)
    assert 1 <= len(before) < 4
    assert "not measured yet" in saih(folder, "status", "tiny").stdout

    done = saih(folder, "sweep", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "reports/tiny.pdf"
    after = finished(folder)
    assert before.items() <= after.items()
    status = json.loads(saih(folder, "status", "tiny", "--json").stdout)
    assert status["counts"] == {"completed": 4}
    assert status["next"] == "saih report tiny"


def test_the_second_run_measures_nothing_and_reports_again(folder: Path) -> None:
    before = finished(folder)
    assert len(before) >= 4
    done = saih(folder, "sweep", "tiny", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert document["report"] == "reports/tiny.pdf"
    assert [point["status"] for point in document["points"]] == ["completed"] * 4
    assert finished(folder) == before


def test_the_report_is_a_pdf_that_names_the_sweep(folder: Path) -> None:
    done = saih(folder, "report", "tiny", "--reports", "papers")
    assert done.stdout == "papers/tiny.html\npapers/tiny.pdf\n"
    text = "".join(page.extract_text() for page in pypdf.PdfReader(folder / "papers/tiny.pdf").pages)
    assert "tiny" in text
    checked = saih(folder, "report", "tiny", "--check", "papers/tiny.pdf")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_an_analysis_is_told_as_text_and_as_json(folder: Path) -> None:
    document = json.loads(saih(folder, "analyze", "tiny", "--json").stdout)
    assert document["schema"] == "saih.analysis"
    assert len(document["points"]) == 4
    assert document["damages"] == []
    text = saih(folder, "analyze", str(folder / "results" / "tiny")).stdout
    assert "along data" in text
    assert "along model" in text


def test_a_sweep_compared_with_itself_is_as_fast_and_the_gate_is_kept(folder: Path) -> None:
    done = saih(folder, "compare", "tiny", "results", "--min-ratio", "0.5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "reports/tiny-and-tiny-2.pdf"
    assert "geometric mean of the speed ratios: 1.0" in done.stdout
    gated = saih(folder, "compare", "tiny", "tiny", "--min-ratio", "2", "--json")
    assert gated.returncode == 5
    assert json.loads(gated.stdout)["schema"] == "saih.comparison"
    assert "below 2" in gated.stderr


def test_another_definition_under_the_same_name_is_refused_with_the_difference(folder: Path) -> None:
    done = saih(folder, "sweep", "tiny.yaml", "--set", "run.seed=2")
    assert done.returncode == 2
    assert "seed" in done.stderr
    assert "--name" in done.stderr


def test_a_damaged_result_is_told_and_measured_again(folder: Path) -> None:
    path = Path(min(finished(folder)))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"completed", b"complete?", 1))
    assert "damaged" in saih(folder, "status", "tiny").stdout
    done = saih(folder, "sweep", "tiny.yaml", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "1 of 4 points to measure" in done.stderr
    assert done.stdout == ""


def test_what_does_not_verify_is_left_out_and_ends_with_4(folder: Path) -> None:
    path = next(folder.glob("results/ceilings/*/*2-ranks*.json"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    analyzed = saih(folder, "analyze", "tiny")
    reported = saih(folder, "report", "tiny", "--json")
    path.write_bytes(whole)
    assert (analyzed.returncode, reported.returncode) == (4, 4)
    assert "along data" in analyzed.stdout
    assert f"{path.relative_to(folder)} is damaged" in analyzed.stderr
    assert any("saih ceilings" in damage for damage in json.loads(reported.stdout)["damages"])


def test_data_sets_and_ceilings_can_be_made_by_themselves(
    folder: Path, ceilings_of_two: tuple[Path, str]
) -> None:
    made = saih(folder, "generate", "tiny.yaml", "--name", "other", "--data-folder", "elsewhere")
    assert (made.returncode, made.stdout) == (0, "elsewhere\n"), made.stderr
    assert any((folder / "elsewhere").rglob("*"))
    _, measured = ceilings_of_two
    assert "1 node x 2 ranks x 1 thread (cpu), measured " in measured
    assert "gemm" in measured


def test_a_ranks_axis_is_measured_and_reported_on_this_machine(folder: Path, swept_alone: Path) -> None:
    shutil.copytree(swept_alone / "results" / "ceilings", folder / "results" / "ceilings", dirs_exist_ok=True)
    done = saih(folder, "sweep", "tiny.yaml", "--axis", "ranks")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "reports/tiny-ranks.pdf"
    status = json.loads(saih(folder, "status", "tiny-ranks", "--json").stdout)
    assert [point["labels"]["ranks"] for point in status["points"]] == ["1 rank", "2 ranks"]
    assert status["counts"] == {"completed": 2}
    assert "Weak scaling from 1 rank to 2" in saih(folder, "analyze", "tiny-ranks").stdout


def test_a_killed_adaptive_sweep_goes_on_and_leaves_out_what_is_not_needed(folder: Path) -> None:
    (folder / "grown.yaml").write_text(GROWN)
    name = f"grown-{len(list(folder.glob('results/grown-*')))}"  # a second try begins anew
    adaptive = ("sweep", "grown.yaml", "--name", name, "--adaptive", "--precision", "100%", "--no-report")
    with subprocess.Popen(
        [*SAIH, *adaptive], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("[1/"))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    assert f"next: saih sweep {name} --adaptive --precision 100%" in told_when_free(folder, name)
    before = {path: path.stat().st_mtime_ns for path in folder.glob(f"results/{name}/*/attempt-*/outcome*")}
    assert before
    done = saih(folder, *adaptive, "--json")
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())
    assert "adaptive: over: " in done.stderr
    found = json.loads(done.stdout)
    left_out = found["adaptive"]["not_needed"]
    measured = {one["point_id"] for one in found["points"] if one["status"] == "completed"}
    assert len(measured) >= 4
    assert len(measured) + len(left_out) == 6
    analysis = json.loads(saih(folder, "analyze", name, "--json").stdout)
    reasons = [dropped["reason"] for dropped in analysis["dropped"]]
    assert len(reasons) == len(left_out)
    assert all(reason.startswith("not measured: not needed") for reason in reasons)
    assert not any("no usable record yet" in warning for warning in analysis["warnings"])
