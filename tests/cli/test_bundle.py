import json
import zipfile
from pathlib import Path

import pytest
from bundle_samples import write_sample

from saih.cli import run


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_sample(tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert run(arguments) == code, capsys.readouterr()
    return tuple(capsys.readouterr())  # type: ignore[return-value]


def test_a_sweep_goes_from_one_site_to_another(
    site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = answer(capsys, "bundle", "tiny")
    assert out == "tiny.saih.zip\n"
    fingerprint = next(line.split()[1] for line in err.splitlines() if line.startswith("fingerprint"))
    assert "unverified submission" in err

    (site / "b").mkdir()
    monkeypatch.chdir(site / "b")
    out, err = answer(capsys, "import", "../a/tiny.saih.zip", "--name", "theirs")
    assert out == "results/theirs\n"
    assert f"fingerprint: {fingerprint}" in err
    assert "unverified submission" in err

    out, err = answer(capsys, "status", "theirs")
    assert out.count("completed") == 3
    assert fingerprint in err
    assert "next: saih report theirs" in err
    status = json.loads(answer(capsys, "status", "theirs", "--json")[0])
    assert (status["origin"]["fingerprint"], status["origin"]["is_signed"]) == (fingerprint, False)
    out, _ = answer(capsys, "analyze", "theirs")
    assert fingerprint in out.replace("\n", " ")
    again = json.loads(answer(capsys, "import", "../a/tiny.saih.zip", "--name", "theirs", "--json")[0])
    assert (again["state"], again["fingerprint"]) == ("already imported", fingerprint)


@pytest.mark.parametrize("extra", [(), ("--dry-run",), ("--retry-failed",), ("--scheduler", "slurm")])
def test_nothing_is_measured_into_an_imported_sweep(
    extra: tuple[str, ...], site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(capsys, "bundle", "tiny")
    (site / "b").mkdir()
    monkeypatch.chdir(site / "b")
    answer(capsys, "import", "../a/tiny.saih.zip")
    answer(capsys, "import", "../a/tiny.saih.zip", "--name", "second")
    before = sorted(path.name for path in (site / "b").rglob("*"))
    for name in ("tiny", "second"):
        _, err = answer(capsys, "sweep", name, *extra, code=2)
        assert "was imported" in err
        assert "--name OTHER" in err
    assert sorted(path.name for path in (site / "b").rglob("*")) == before
    out, _ = answer(capsys, "sweep", "second", "--name", "mine", "--dry-run")
    assert "results/mine" in out
    answer(capsys, "plan", "second")


def test_errors_are_told_with_their_exit_codes(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "bundle", "tiny", "--json", "--author", "Ada", "--license", "MIT")
    data = bytearray(Path("tiny.saih.zip").read_bytes())
    data[len(data) // 2] ^= 1
    Path("bad.saih.zip").write_bytes(data)
    error = json.loads(answer(capsys, "import", "bad.saih.zip", "--json", "--name", "x", code=4)[0])
    assert error["kind"] == "DamagedData"
    assert "Traceback" not in json.dumps(error)
    answer(capsys, "import", "absent.saih.zip", code=2)
    answer(capsys, "import", "tiny.saih.zip", code=2)
    answer(capsys, "bundle", "absent", code=2)
    assert sorted(path.name for path in Path("results").iterdir()) == ["ceilings", "tiny"]


def test_verify_only_writes_nothing(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "bundle", "tiny", "--output", "x.zip")
    out, err = answer(capsys, "import", "x.zip", "--results", str(site / "none"), "--verify-only")
    assert len(out.strip()) == 64
    assert "Nothing was written" in err
    assert not (site / "none").exists()


def test_an_output_that_cannot_be_written_is_an_error_of_ours(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = answer(capsys, "bundle", "tiny", "--output", str(site / "absent" / "x.zip"), code=1)
    assert "cannot write" in err


def test_an_unpacked_bundle_is_not_taken_for_a_sweep(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "bundle", "tiny")
    with zipfile.ZipFile("tiny.saih.zip") as bundle:
        bundle.extractall("tiny")
    assert answer(capsys, "status", "tiny")[0].count("completed") == 3


def test_a_point_of_an_imported_sweep_is_shown_under_the_ceilings_that_came_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Path(__file__).parents[2] / "results" / "reference" / "ranks.saih.zip"
    monkeypatch.chdir(tmp_path)
    answer(capsys, "import", str(bundle))
    points = json.loads(answer(capsys, "analyze", "ranks", "--json")[0])["points"]
    assert points[0]["share_of_peak"] is not None
    shown = json.loads(answer(capsys, "show", points[0]["record_id"], "ranks", "--json")[0])
    assert shown["summary"]["share_of_peak"] == points[0]["share_of_peak"]
