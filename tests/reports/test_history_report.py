import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pypdf import PdfReader

from saih.analyzer.history import history
from saih.domain.history import History
from saih.domain.system import System
from saih.reports.analysis_json import history_as_json
from saih.reports.document import write
from saih.reports.history_report import history_document

SystemFor = Callable[..., System]


def history_with(system_for: SystemFor, speeds: tuple[float, ...], prefix: str = "night") -> History:
    runs = []
    for number, speed in enumerate(speeds):
        wobble = 1 + 0.004 * (number * 7 % 5 - 2)
        one = system_for(f"{prefix} {number + 1}", [speed * wobble] * 4)
        when = f"2026-02-{number + 1:02d}T02:00:00+00:00"
        runs.append(replace(one, points=tuple(replace(point, measured_utc=when) for point in one.points)))
    return history(runs)


def text_of(path: Path) -> str:
    pages = "\n".join(page.extract_text() for page in PdfReader(path).pages)
    return re.sub(r"\s+", " ", pages.replace("\u200b", ""))


def test_a_regression_is_told_first_with_its_run_and_size(system_for: SystemFor, tmp_path: Path) -> None:
    found = history_with(system_for, (1.0,) * 6 + (0.8,) * 4)
    text = text_of(write(history_document(found), tmp_path / "history.pdf"))
    assert "Over all: slower since night 7 (2026-02-07 02:00 UTC): 0.80" in text
    assert "4 of 4 points changed" in text


def test_steady_runs_and_too_few_runs_are_told(system_for: SystemFor, tmp_path: Path) -> None:
    steady = history_document(history_with(system_for, (1.0,) * 8))
    assert "no change in 8 runs" in text_of(write(steady, tmp_path / "steady.pdf"))
    few = history_document(history_with(system_for, (1.0,) * 3))
    assert "changes are told from 6 on" in text_of(write(few, tmp_path / "few.pdf"))


def test_hostile_names_of_runs_are_shown_inert(system_for: SystemFor, tmp_path: Path) -> None:
    found = history_with(system_for, (1.0,) * 6, prefix='#read("/etc/passwd") \x1b[2J نظام ' + "x" * 300)
    one, two = (write(history_document(found), tmp_path / f"{name}.pdf") for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    assert '#read("/etc/passwd")' in text_of(one)


def test_the_json_form_is_plain(system_for: SystemFor) -> None:
    found = history_with(system_for, (1.0,) * 5 + (0.8,) * 4)
    document = json.loads(json.dumps(history_as_json(found), allow_nan=False))
    assert document["schema"] == "saih.history"
    assert document["overall"]["changes"][0]["since"]["name"] == "night 6"
