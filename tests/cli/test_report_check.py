"""A report held against the results that it was made from, over real files that somebody edited."""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import pypdf
import pytest

from saih.cli import run
from saih.commands.stage import plan_here
from saih.config.definition import define
from saih.config.sweep_file import read_sweep
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.record import ADDITIVE_PHASES, AttemptResult, Environment, Outcome, Steps
from saih.reports.claims_file import decode
from saih.store.ceilings_file import write_ceilings
from saih.store.document import render
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, record_definition
from tests.command_line import Saih

SWEEP = """\
name: tiny
workload: cosmoflow
base:
  data: {samples: 8, resolution: 16, channels: 1, universes: 2}
  model: {depth: 1, width: 4}
axes:
  data: {resolution: [8, 16, 32]}
  model: {width: [2, 4]}
placement: {ranks_per_node: 1}
timing: {warmup_steps: 1, min_steps: 3, max_steps: 5, budget_s: 0.5}
"""
ENVIRONMENT = Environment(
    facts={"cpu_model": "Test 9000", "torch": "2.13"}, notes={"host": "n1"}, environment_id="e" * 16
)


def steps_of(number: int) -> Steps:
    """Twenty steps of one rank, longer for later points; every additive phase takes a sixth."""
    phase = tuple(10_000_019 * (number + 1) + 1_009 * step for step in range(20))
    return Steps(
        duration_ns=dict.fromkeys(ADDITIVE_PHASES, (phase,)),
        step_ns=(tuple(len(ADDITIVE_PHASES) * value for value in phase),),
        losses=tuple(1 / (step + 1) for step in range(21)),
        warmup_steps=1,
    )


def finish_point(folder: SweepFolder, point: Point, number: int) -> None:
    result = AttemptResult(
        outcome=Outcome.COMPLETED, reason="", stop_reason="20 steps", steps=steps_of(number), notes={}
    )
    finish(begin_attempt(folder, point, ENVIRONMENT), result)


def ceilings_at(placement_label: str) -> Ceilings:
    rate = Interval(low=0.97e11, value=1e11, high=1.02e11, level=0.95, count=7)
    gemm = Ceiling(
        kind=CeilingKind.GEMM,
        precision="float32",
        unit="FLOP/s",
        size_unit="side",
        sizes=(64.0, 128.0),
        rates=(rate.scaled(0.5), rate),
    )
    return Ceilings(
        environment_id=ENVIRONMENT.environment_id,
        placement_label=placement_label,
        curves=(gemm,),
        measured_utc="2026-01-01T00:00:00Z",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five of six points with records, ceilings, and the reports of them."""
    home = tmp_path_factory.mktemp("reported")
    (home / "tiny.yaml").write_text(SWEEP)
    sweep = read_sweep(home / "tiny.yaml")
    points = [planned.point for planned in plan_here(sweep, home / "data").points]
    folder = SweepFolder(home / "results", "tiny")
    record_definition(folder, define(sweep))
    for number, point in enumerate(points[:-1]):
        finish_point(folder, point, number)
    write_ceilings(folder.root, ceilings_at(points[0].placement.label))
    places = [f"--{name}={home / folder}" for name, folder in (("results", "results"), ("reports", "made"))]
    assert run(["report", "tiny", *places, f"--data-folder={home / 'data'}"]) == 0
    return home


@pytest.fixture
def home(reported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(reported, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def saih(home: Path, capsys: pytest.CaptureFixture[str]) -> Saih:
    return Saih(capsys)


def attempts(home: Path) -> list[Path]:
    return sorted(home.glob("results/tiny/*/attempt-1"))


def record_id_of(attempt: Path) -> str:
    return f"{attempt.parent.name}/{attempt.name}"


def edit_duration(attempt: Path, delta_ns: int) -> None:
    """Change one duration of a step; HDF5 writes the checksum of the chunk anew."""
    with h5py.File(attempt / "steps.h5", "r+") as file:
        for dataset in ("step", "forward"):
            file[dataset][0, 0] += delta_ns


def mend_checksums(attempt: Path) -> None:
    """Make outcome.json vouch for the files as they are, and for itself."""
    path = attempt / "outcome.json"
    content = json.loads(path.read_bytes())["content"]
    content["sha256"] = {
        name: hashlib.sha256((attempt / name).read_bytes()).hexdigest() for name in content["sha256"]
    }
    path.write_bytes(render("saih outcome", content))


def attached(path: Path) -> bytes:
    return pypdf.PdfReader(path).attachments["claims.json"][0]


@pytest.mark.parametrize("name", ["made/tiny.pdf", "made/tiny.html"])
def test_a_report_agrees_with_the_results_that_it_was_made_from(saih: Saih, name: str) -> None:
    said = saih("report", "tiny", "--check", name)
    assert (said.exit_code, said.err) == (0, "")
    assert f"{name} agrees with the results: all " in said.out
    assert "The whole file is byte for byte what is made now." in said.out
    assert not [path for path in Path().iterdir() if path.name == "reports"], "a check writes nothing"


def test_both_reports_carry_the_same_claims_and_so_does_the_file_alone(home: Path, saih: Saih) -> None:
    claims = attached(home / "made/tiny.pdf")
    assert claims.decode() in (home / "made/tiny.html").read_text()
    (home / "claims.json").write_bytes(claims)
    assert saih("report", "tiny", "--check", "claims.json").exit_code == 0
    content = decode(claims, "claims.json")
    assert set(content.records) == {record_id_of(attempt) for attempt in attempts(home)}
    assert {record_id for claim in content.claims for record_id in claim.record_ids} <= set(content.records)
    assert len(content.ceilings) == 1
    growth = next(claim for claim in content.claims if claim.claim_id == "growth/model")
    assert len(growth.record_ids) == 2


def test_two_runs_give_the_same_bytes(home: Path, saih: Saih) -> None:
    assert saih("report", "tiny", "--reports", "again").out == "again/tiny.html\nagain/tiny.pdf\n"
    for name in ("tiny.pdf", "tiny.html"):
        assert (home / "again" / name).read_bytes() == (home / "made" / name).read_bytes()


def test_only_the_asked_format_is_written(home: Path, saih: Saih) -> None:
    said = saih("report", "tiny", "--reports", "one", "--format", "html", "--json")
    assert said.document["reports"] == {"html": "one/tiny.html"}
    assert said.document["report"] == "one/tiny.html"
    assert [path.name for path in (home / "one").iterdir()] == ["tiny.html"]


def test_an_edit_of_one_digit_is_found_even_when_every_checksum_was_mended(home: Path, saih: Saih) -> None:
    """The edit is too small for any sentence to change."""
    attempt = attempts(home)[0]
    edit_duration(attempt, 1)
    mend_checksums(attempt)
    assert saih("analyze", "tiny").exit_code == 0, "the edited record verifies by itself"
    said = saih("report", "tiny", "--check", "made/tiny.pdf")
    assert said.exit_code == 4
    assert f"record changed since (1): {record_id_of(attempt)}" in said.out
    assert "DIFFERS from the results in 0 of " in said.out


def test_an_edit_that_moves_a_number_names_the_sentence_and_the_record(home: Path, saih: Saih) -> None:
    for attempt in attempts(home):
        with h5py.File(attempt / "steps.h5", "r+") as file:
            if file["step"][0, 0] < 70_000_000:  # that of the first point
                for dataset in ("step", *ADDITIVE_PHASES):
                    file[dataset][0, :] = 2 * file[dataset][0, :]
                break
    mend_checksums(attempt)
    said = saih("report", "tiny", "--check", "made/tiny.html", "--json")
    assert said.exit_code == 4
    assert said.document["records"]["changed"] == [record_id_of(attempt)]
    moved = next(claim for claim in said.document["claims"] if claim["claim_id"] == "range-of-share")
    assert moved["then"]["text"] != moved["now"]["text"]
    assert moved["behind"] == [record_id_of(attempt)]
    text = saih("report", "tiny", "--check", "made/tiny.html").out
    assert f"  then: {moved['then']['text']}".replace("\xa0", " ") in text
    assert f"  now:  {moved['now']['text']}".replace("\xa0", " ") in text
    assert f"because of {record_id_of(attempt)}" in text


def test_an_edit_with_the_chunk_checksum_alone_mended_is_found(home: Path, saih: Saih) -> None:
    attempt = attempts(home)[0]
    edit_duration(attempt, 1)
    said = saih("report", "tiny", "--check", "made/tiny.pdf")
    assert said.exit_code == 4
    assert "SHA-256 is not the one in outcome.json" in said.err
    assert f"record changed since (1): {record_id_of(attempt)}" in said.out


@pytest.mark.parametrize("name", ["steps.h5", "outcome.json", "point.json", "environment.json"])
def test_a_byte_edited_with_no_checksum_mended_is_found(home: Path, saih: Saih, name: str) -> None:
    path = attempts(home)[1] / name
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    content[place] ^= 1
    path.write_bytes(content)
    said = saih("report", "tiny", "--check", "made/tiny.pdf", "--json")
    assert said.exit_code == 4
    assert said.document["records"]["changed"] == [record_id_of(path.parent)]
    assert said.document["agrees"] is False


def test_edited_ceilings_are_found(home: Path, saih: Saih) -> None:
    path = next(home.glob("results/ceilings/*/*.json"))
    content = json.loads(path.read_bytes())["content"]
    content["curves"][0]["rates"][1]["value"] += 1
    path.write_bytes(render("saih ceilings", content))
    said = saih("report", "tiny", "--check", "made/tiny.pdf")
    assert said.exit_code == 4
    assert "ceilings changed since (1): ceilings/" in said.out


def test_a_record_that_vanished_is_named(home: Path, saih: Saih) -> None:
    attempt = attempts(home)[2]
    shutil.rmtree(attempt)
    said = saih("report", "tiny", "--check", "made/tiny.pdf")
    assert said.exit_code == 4
    assert f"record no longer there (1): {record_id_of(attempt)}" in said.out


def test_a_point_measured_since_makes_a_report_old_not_wrong(home: Path, saih: Saih) -> None:
    sweep = read_sweep(home / "tiny.yaml")
    point = plan_here(sweep, home / "data").points[-1].point
    finish_point(SweepFolder(home / "results", "tiny"), point, 7)
    said = saih("report", "tiny", "--check", "made/tiny.pdf")
    assert said.exit_code == 5
    assert "more was measured since" in said.out
    assert f"record new (1): {point.point_id}/attempt-1" in said.out


def test_an_edited_sentence_is_found_although_no_record_changed(home: Path, saih: Saih) -> None:
    claims = json.loads(attached(home / "made/tiny.pdf"))
    claims["claims"][0]["text"] = claims["claims"][0]["text"].replace(" at ", " at about ")
    (home / "claims.json").write_text(json.dumps(claims))
    said = saih("report", "tiny", "--check", "claims.json")
    assert said.exit_code == 4
    assert "Nothing that it was made from changed: it was edited" in said.out
    assert "  then: The share of the measured peak goes from" in said.out


def test_a_page_edited_beside_its_claims_is_told_by_its_bytes(home: Path, saih: Saih) -> None:
    path = home / "made/tiny.html"
    path.write_text(path.read_text().replace("Summary", "Advertisement", 1))
    said = saih("report", "tiny", "--check", "made/tiny.html")
    assert said.exit_code == 5
    assert "But the file is not byte for byte what is made now" in said.out
    document = saih("report", "tiny", "--check", "made/tiny.html", "--json").document
    assert (document["agrees"], document["is_same_file"]) == (False, False)


def test_a_sentence_edited_on_the_page_alone_is_found(home: Path, saih: Saih) -> None:
    path = home / "made/tiny.html"
    whole = path.read_text()
    start = whole.index("The share of the measured peak goes from", whole.index("<main"))
    digit = next(place for place in range(start, start + 100) if whole[place].isdigit())
    other = "1" if whole[digit] != "1" else "2"
    path.write_text(whole[:digit] + other + whole[digit + 1 :])
    said = saih("report", "tiny", "--check", "made/tiny.html")
    assert said.exit_code == 4
    assert said.out.startswith("made/tiny.html DIFFERS from what it carries, which agrees with the results.")
    assert "does not show 1 sentence that it carries" in said.out
    assert "range-of-share: the page does not show its sentence" in said.out


def test_a_renamed_sweep_is_still_that_of_the_report(home: Path, saih: Saih) -> None:
    (home / "results/tiny").rename(home / "results/other")
    said = saih("report", "other", "--check", "made/tiny.pdf")
    assert "sweep: tiny then, other now" in said.out
    assert said.exit_code == 0


def test_the_report_of_another_sweep_is_refused(home: Path, saih: Saih) -> None:
    claims = json.loads(attached(home / "made/tiny.pdf"))
    (home / "claims.json").write_text(json.dumps({**claims, "sweep": "\x1b[2Jforeign", "records": {}}))
    said = saih("report", "tiny", "--check", "claims.json")
    assert said.exit_code == 2
    assert "report of the sweep foreign" in said.err
    assert "\x1b" not in said.err


def test_checking_writes_no_format(saih: Saih) -> None:
    said = saih("report", "tiny", "--check", "made/tiny.pdf", "--format", "pdf")
    assert said.exit_code == 2
    assert "--check writes no report" in said.err


def bomb() -> bytes:
    content = zlib.compress(b"{" + b" " * (80 * 2**20), 9)
    head = b"1 0 obj\n<</Type/EmbeddedFile/Filter/FlateDecode/Length %d>>\nstream\n" % len(content)
    return b"%PDF-1.7\n" + head + content + b"\nendstream\nendobj\n%%EOF\n"


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], int, str]] = {
    "empty": (lambda _: b"", 2, "is neither a PDF, nor HTML, nor claims"),
    "text": (lambda _: b"hello", 2, "is neither a PDF, nor HTML, nor claims"),
    "truncated pdf": (lambda pdf: pdf[: len(pdf) // 2], 4, "was cut off"),
    "pdf without claims": (lambda _: b"%PDF-1.7\n%%EOF\n", 4, "no claims.json is attached"),
    "pdf with noise": (
        lambda _: b"%PDF-1.7\n1 0 obj<</Type/EmbeddedFile/Filter/FlateDecode>>stream\nxx%%EOF\n",
        4,
        "cannot be unpacked",
    ),
    "bomb": (lambda _: bomb(), 4, "unpacks to more than"),
    "html without claims": (lambda _: b"<!doctype html><html></html>", 4, "no script element"),
    "truncated html": (lambda _: b"<!doctype html><html><body>", 4, "was cut off"),
    "many scripts that never end": (
        lambda _: b"<!doctype html>" + b"<script id=saih-claims>" * 200_000,
        4,
        "was cut off",
    ),
    "truncated json": (lambda _: b'{"schema": 1', 4, "cannot be read"),
    "no claims": (lambda _: b"{}", 4, "schema is 'None'"),
    "newer schema": (lambda _: b'{"schema": 99}', 4, "use a saih that knows schema 99"),
    "deep": (lambda _: b'{"a":' * 200_000, 4, "nested too deeply"),
    "huge number": (lambda _: b'{"schema": ' + b"9" * 10_000 + b"}", 4, "cannot be read"),
    "double key": (lambda _: b'{"schema": 1, "schema": 1}', 4, "twice"),
    "foreign kind": (lambda _: b'{"schema": 1, "kind": "poem"}', 4, "kind is 'poem'"),
    "not a list": (
        lambda _: b'{"schema":1,"kind":"trend","sweep":"s","environment_id":"e","claims":{},"records":{}}',
        4,
        "claims is of type dict",
    ),
    "a comparison": (
        lambda _: (
            b'{"schema":1,"kind":"comparison","sweep":"s","environment_id":"","claims":[],"records":{}}'
        ),
        2,
        "not the report of one sweep",
    ),
    "wrong bytes": (lambda _: b'{"\xff": 1}', 4, "cannot be read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_report_is_refused_with_a_reason(home: Path, saih: Saih, name: str) -> None:
    make, exit_code, reason = HOSTILE[name]
    (home / "file").write_bytes(make((home / "made/tiny.pdf").read_bytes()))
    said = saih("report", "tiny", "--check", "file")
    assert (said.exit_code, said.out) == (exit_code, "")
    assert reason in said.err
    assert "\n  -> " in said.err


@pytest.mark.parametrize("name", ["nothing", "results", "pipe", "huge"])
def test_a_path_that_holds_no_report_is_refused_at_once(home: Path, saih: Saih, name: str) -> None:
    os.mkfifo(home / "pipe")
    with (home / "huge").open("wb") as file:
        file.truncate(2**30)
    said = saih("report", "tiny", "--check", name)
    assert (said.exit_code, said.out) == (2, "")
    assert "\n  -> " in said.err
