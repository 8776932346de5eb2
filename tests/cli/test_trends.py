"""``saih trends`` over files of others: what it prints, writes and refuses."""

import json
from pathlib import Path

import pytest

from saih.cli import run

TABLE = "series,axis,kind,unit,size,value\n" + "".join(
    f"{name},ranks,strong,s,{ranks},{(1 + 40 / ranks) * (1 + 0.01 * repeat)}\n"
    for name in ("宇宙 \u202eevil\x1b[31m", "<script>alert(1)</script> #set page")
    for ranks in (1, 2, 4, 8, 16)
    for repeat in range(2)
)
HOSTILE_ROW = "<script>alert(1)</script> #set page,ranks,strong,s,4,-3\n"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(TABLE + HOSTILE_ROW)
    return "table.csv"


def test_laws_a_plot_and_findings_are_printed(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trends", table]) == 0
    out = capsys.readouterr().out
    assert "(x / 1)^-1" in out or "x^-1" in out
    assert "a 宇宙" in out
    assert "line 22: '-3' at 4" in out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[undecided] foresees other regimes" in out


def test_json_holds_every_series_with_points_curves_checks_and_findings(
    table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["trends", table, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "saih.trends"
    first, second = document["series"]
    assert [point["size"] for point in first["points"]] == [1, 2, 4, 8, 16]
    assert first["fit"]["terms"]
    assert first["curve"][-1]["is_extrapolated"] is True
    assert second["series"]["whole"][-1]["size"] == 16
    assert "clock runs backwards" in second["findings"][0]
    assert document["reports"] == {}


@pytest.mark.slow
def test_reports_show_names_of_others_inert(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trends", table, "--report", "pdf", "--report", "html", "--reports", "out"]) == 0
    pdf, html = Path("out/trends-of-table.pdf"), Path("out/trends-of-table.html")
    assert capsys.readouterr().out.splitlines()[-2:] == [str(pdf), str(html)]
    assert pdf.read_bytes().startswith(b"%PDF")
    page = html.read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page
    assert "clock runs backwards" in page
    first = html.read_bytes()
    assert run(["trends", table, "--report", "html", "--reports", "out"]) == 0
    assert html.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["nothing.csv"], 2, "no file"),
        (["bad.csv"], 4, "line 2 of bad.csv"),
        (["bad.csv", "--column", "size"], 2, "OURS=THEIRS"),
        (["bad.csv", "--column", "colour=size"], 2, "OURS=THEIRS"),
        (["empty"], 2, "tells how long"),
        ([], 2, "FILE"),
    ],
)
def test_what_cannot_be_done_is_refused(
    arguments: list[str],
    exit_code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("size,value\n1,two\n")
    assert run(["trends", *arguments]) == exit_code
    assert words in capsys.readouterr().err


def test_phases_without_any_time_make_a_page_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{size},0,a\n" for size in (1, 2, 4, 8))
    Path("zero.csv").write_text(f"size,value,phase\n{lines}")
    assert run(["trends", "zero.csv", "--report", "html", "--reports", "out"]) == 0
    assert "All phases take no time at some size" in " ".join(capsys.readouterr().out.split())
    assert "no usable value" in Path("out/trends-of-zero.html").read_text()
