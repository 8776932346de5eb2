"""Every verb has --json, and prints exactly one document then, whether it can do its work or not."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from study_samples import search, validation
from tuning_samples import tuned

from saih.cli import VERBS, group, run
from saih.domain.point import Point
from saih.domain.study import subject_id_of
from saih.machine.environment import capture
from saih.store.study_file import write_search, write_validation
from saih.store.sweep_folder import SweepFolder
from saih.store.tuned_file import write_tuned
from workloads.execution import TUNED

Measured = Callable[..., tuple[Point, ...]]
WORKS: dict[str, tuple[str, ...]] = {
    "sweep": ("tiny.yaml", "--dry-run"),
    "plan": ("tiny.yaml",),
    "status": ("tiny",),
    "show": ("1", "tiny"),
    "cancel": ("tiny",),
    "analyze": ("tiny",),
    "verify": ("tiny", "--dry-run"),
    "validate": ("tiny",),
    "search": ("tiny",),
    "tune": ("tiny",),
    "what-if": ("tiny", "input removed"),
    "report": ("tiny",),
    "compare": ("tiny", "twin"),
    "bundle": ("tiny",),
    "import": ("tiny.saih.zip", "--name", "again"),
    "export": ("tiny", "--output", "logs"),
    "trends": ("table.csv",),
    "generate": ("tiny.yaml", "--set", "axes.data.resolution=[8]", "--name", "small"),
    "data": ("info", "--data-folder", "."),
    "ceilings": ("tiny.yaml", "--check"),
    "doctor": (),
    "init": (),
    "schema": (),
    "completion": ("bash",),
}
FAILS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("sweep", "plan", "status", "cancel", "analyze", "report", "bundle", "generate", "ceilings"),
        ("nowhere",),
    ),
    "show": ("abc",),
    "verify": ("nowhere",),
    "validate": ("nowhere",),
    "search": ("nowhere",),
    "tune": ("nowhere",),
    "what-if": ("tiny", "magic x2"),
    "compare": ("nowhere", "tiny"),
    "import": ("nowhere.zip",),
    "export": ("nowhere", "--output", "logs"),
    "trends": ("nowhere.csv",),
    "data": ("verify", "nowhere"),
    "doctor": ("--site", "nowhere.yaml"),
    "init": ("--preset", "nothing"),
    "schema": ("--nothing",),
    "completion": ("tcsh",),
}
SLOW = ("report", "compare", "generate", "ceilings", "doctor", "bundle", "import", "export")
DOCUMENTS = Path(__file__).parents[2] / "docs" / "sweeps.md"


def document(verb: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> tuple[Any, int]:
    """The one document on stdout, and the exit code."""
    exit_code = run([verb, *arguments, "--json"])
    out = capsys.readouterr().out
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{verb} printed {name}")), exit_code


def sometimes_slow(verb: str) -> Any:
    return pytest.param(verb, marks=pytest.mark.slow) if verb in SLOW else verb


def keep_studies(root: Path, points: tuple[Point, ...]) -> None:
    """Studies of every problem, and executions of every point: asking for them starts nothing."""
    folder = SweepFolder(root / "results", "tiny")
    for point in points:
        write_validation(folder, validation(subject_id_of(point), "ppppppppp"))
    write_search(folder, search())
    for point in points:
        asked = replace(point, execution=TUNED)
        write_tuned(root / "results", tuned(asked, capture().environment_id))


@pytest.fixture
def results(measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keep_studies(tmp_path, measured("tiny"))
    measured("twin")
    (tmp_path / "table.csv").write_text("size,value\n1,2\n2,3\n4,5\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_the_option(verb: str) -> None:
    context = click.Context(group)
    found = group.get_command(context, verb)
    assert found is not None
    for one in found.commands.values() if isinstance(found, click.Group) else [found]:
        assert any("--json" in option.opts for option in one.params)
    assert verb in WORKS
    assert verb in FAILS


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("verb", [sometimes_slow(verb) for verb in VERBS])
def test_a_verb_that_works_prints_one_named_document(
    verb: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if verb == "ceilings":  # to look whether they hold takes a fifth of the time
        request.getfixturevalue("know_ceilings")(Path("results"))
    if verb == "import":
        assert run(["bundle", "tiny"]) == 0
        capsys.readouterr()
    found, exit_code = document(verb, WORKS[verb], capsys)
    if verb == "schema":  # named as JSON Schemas are
        assert found["$schema"].startswith("https://json-schema.org/")
    else:
        assert re.fullmatch(r"saih\.[a-z-]+", found["schema"])
        assert found["schema"] != "saih.error"
        assert isinstance(found["version"], int)
        assert f"`{found['schema']}`" in DOCUMENTS.read_text()
    assert exit_code == 0 if verb != "doctor" else exit_code in (0, 3)


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_fails_prints_one_error_document(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    found, exit_code = document(verb, FAILS[verb], capsys)
    assert (found["schema"], found["version"]) == ("saih.error", 1)
    assert found["exit_code"] == exit_code > 0
    assert found["problem"]
    assert found["remedy"]


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("verb", ["analyze", "show", "status"])
def test_documents_are_the_same_every_time(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = document(verb, WORKS[verb], capsys)
    again, _ = document(verb, WORKS[verb], capsys)
    assert first == again
