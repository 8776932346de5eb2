"""The command line: streams, exit codes, errors, and verbs that need no ranks."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from saih.cli import VERBS, group
from saih.config.definition import define
from saih.config.preset import PRESETS, preset_sweep
from saih.config.sweep_file import read_sweep
from saih.store.sweep_folder import SweepFolder, record_definition
from tests.command_line import Saih

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
timing: {warmup_steps: 1, min_steps: 3, max_steps: 5, budget_s: 0.5}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture
def saih(folder: Path, capsys: pytest.CaptureFixture[str]) -> Saih:
    return Saih(capsys)


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_help_lists_every_verb_and_every_exit_code(saih: Saih) -> None:
    said = saih("--help")
    assert said.exit_code == 0
    assert all(f"  {verb} " in said.out for verb in VERBS)
    assert all(f"    {code} " in said.out for code in (0, 1, 2, 3, 4, 5, 75, 130))
    assert "143 by TERM" in said.out
    assert saih().out == said.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_in_the_words_of_the_list(verb: str, saih: Saih) -> None:
    context = group.make_context("saih", [verb], resilient_parsing=True)
    found = group.get_command(context, verb)
    assert found is not None
    assert found.get_short_help_str(limit=200) == VERBS[verb]
    said = saih(verb, "--help")
    assert said.exit_code == 0
    assert all(parameter.help for parameter in found.params if isinstance(parameter, click.Option))


def test_the_version_is_told(saih: Saih) -> None:
    assert saih("--version").out.startswith("saih, version ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("pln",), "there is no verb 'pln'"),
        (("plan", "--nonsense"), "--nonsense"),
        (("plan", "missing.yaml"), "no sweep file missing.yaml"),
        (("plan", "labtop"), "did you mean laptop?"),
        (("plan", "tiny.yaml", "--axis", "modle"), "did you mean model?"),
        (
            ("plan", "tiny.yaml", "--set", "timing.min_steps=0"),
            "--set timing.min_steps: timing.min_steps: found 0",
        ),
        (("plan", "tiny.yaml", "--name", "a b"), "--set name"),
        (("plan", "tiny.yaml", "--name", "it's: {x"), "--set name"),
        (("plan", "tiny.yaml", "--set", "axes={data: {resolution: [17]}}"), "no point of tiny can run"),
        (("status", "nothing"), "there is no sweep 'nothing'"),
        (("analyze", "nothing"), "there is no sweep 'nothing'"),
        (("report", "nothing"), "there is no sweep 'nothing'"),
        (("compare", "nothing", "else"), "there is no sweep 'nothing'"),
        (("compare", "nothing", "else", "--min-ratio", "nan"), "nan is not a number above 0"),
        (("completion", "csh"), "csh"),
        (("init", "tiny.yaml"), "tiny.yaml is there already"),
        (("init", "new.yaml", "--preset", "nod"), "did you mean node?"),
        (("sweep", "tiny.yaml", "--set", "placement.nodes=2"), "2 nodes"),
    ],
)
def test_a_wrong_command_ends_with_2_and_says_what_to_do(
    arguments: tuple[str, ...], told: str, saih: Saih, folder: Path
) -> None:
    said = saih(*arguments)
    assert said.exit_code == 2
    assert said.err.startswith("error: ")
    assert told in said.err
    assert "\n  -> " in said.err
    assert "Traceback" not in said.err
    assert "Traceback" in saih("--debug", *arguments).err
    assert files_below(folder) == {"tiny.yaml"}


def test_a_renamed_folder_of_results_is_not_continued_elsewhere(saih: Saih, folder: Path) -> None:
    record_definition(SweepFolder(folder / "results", "tiny"), define(read_sweep(folder / "tiny.yaml")))
    assert saih("plan", "tiny").exit_code == 0
    (folder / "results" / "tiny").rename(folder / "results" / "moved")
    said = saih("plan", "moved")
    assert said.exit_code == 2
    assert "rename it back to tiny" in said.err
    assert saih("plan", "moved", "--name", "other").exit_code == 0


def test_the_next_command_can_be_pasted_whatever_the_folder_is_called(
    saih: Saih, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder / "it's $HOME"
    record_definition(SweepFolder(root, "tiny"), define(read_sweep(folder / "tiny.yaml")))
    said = saih("status", "tiny", "--results", str(root))
    assert shlex.split(said.err.splitlines()[-1]) == [
        "next:", "saih", "sweep", "tiny", "--results", str(root),
    ]  # fmt: skip
    monkeypatch.chdir(root / "tiny")
    assert saih("status", ".").out == said.out


def test_errors_are_one_json_document_where_json_is_asked(saih: Saih, folder: Path) -> None:
    (folder / "bad.yaml").write_text(
        TINY.replace("width: 4", "width: NO").replace("samples: 8", "samples: 0")
    )
    said = saih("plan", "bad.yaml", "--json")
    document = json.loads(said.out)
    assert said.err == ""
    assert said.exit_code == document["exit_code"] == 2
    assert (document["schema"], document["version"]) == ("saih.error", 1)
    assert [mistake["key"] for mistake in document["mistakes"]] == ["base.data.samples", "base.model.width"]
    assert document["mistakes"][0]["place"] == "bad.yaml:4:19"
    assert json.loads(saih("nothing", "--json").out)["kind"] == "UsageError"
    empty = saih("plan", "tiny.yaml", "--json", "--set", "axes={data: {resolution: [17]}}")
    assert json.loads(empty.out)["exit_code"] == empty.exit_code == 2


def test_a_plan_shows_points_costs_and_totals_and_writes_nothing(saih: Saih, folder: Path) -> None:
    said = saih("plan", "tiny.yaml")
    assert said.exit_code == 0
    assert said.err == ""
    assert "sweep tiny: 4 points of cosmoflow" in said.out
    assert "measuring: at most 2.00" in said.out
    assert files_below(folder) == {"tiny.yaml"}


def test_a_plan_in_json_tells_the_same_in_units(saih: Saih) -> None:
    document = json.loads(saih("plan", "tiny.yaml", "--json", "--axis", "data").out)
    assert document["schema"] == "saih.plan"
    assert document["sweep"]["name"] == "tiny-data"
    assert len(document["points"]) == 2
    assert document["data_bytes"] == sum(point["dataset_bytes"] for point in document["points"])
    assert document["most_measuring_s"] == 1.0


def test_points_that_cannot_run_are_listed_with_their_reason(saih: Saih) -> None:
    said = saih("plan", "tiny.yaml", "--set", "axes.data.resolution=[16, 17]")
    assert said.exit_code == 0
    assert "2 points dropped:" in said.out
    assert "17" in said.out.split("2 points dropped:")[1]


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_can_be_planned_by_their_names(preset: str, saih: Saih) -> None:
    assert f"sweep {preset}: " in saih("plan", preset).out


def test_a_dry_run_tells_the_very_command_and_writes_nothing(saih: Saih, folder: Path) -> None:
    said = saih("sweep", "tiny.yaml", "--dry-run", "--reports", "papers")
    assert said.exit_code == 0
    assert "-n 2 " in said.out
    assert "-m mpi4py -m saih.worker JOB.json" in said.out
    assert "report: papers/tiny.pdf" in said.out
    document = json.loads(saih("sweep", "tiny.yaml", "--dry-run", "--json").out)
    assert document["commands"][0][1:3] == ["-n", "2"]
    assert files_below(folder) == {"tiny.yaml"}


def test_init_writes_a_file_that_reads_back_as_the_preset(saih: Saih, folder: Path) -> None:
    said = saih("init", "mine.v2.yaml", "--preset", "node")
    assert (said.exit_code, said.out) == (0, "mine.v2.yaml\n")
    sweep = read_sweep(folder / "mine.v2.yaml")
    assert sweep.name == "mine.v2"
    assert sweep.placements == preset_sweep("node").placements
    assert saih("init", "no/such/folder.yaml").exit_code == 1


def test_the_schema_is_one_json_document(saih: Saih) -> None:
    assert json.loads(saih("schema").out)["title"] == "SAIH sweep"
    assert json.loads(saih("schema", "--site").out)["title"] == "SAIH site"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell: str, saih: Saih) -> None:
    assert "_SAIH_COMPLETE" in saih("completion", shell).out


def test_a_mistake_of_our_own_is_told_without_a_traceback(
    saih: Saih, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saih.commands.schema.give", lambda _text: 1 / 0)
    said = saih("schema")
    assert said.exit_code == 1
    assert "ZeroDivisionError" in said.err
    assert "--debug" in said.err
    assert "Traceback" not in said.err


def test_ctrl_c_ends_with_130(saih: Saih, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("saih.commands.schema.give", interrupted)
    said = saih("schema")
    assert said.exit_code == 130
    assert "run the same command again" in said.err


def process(*arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", "from saih.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]  # options are those of run


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), *((verb, "--help") for verb in VERBS), ("completion", "bash")]
)
def test_help_and_completion_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    heavy = ("torch", "mpi4py", "numpy", "scipy", "h5py", "matplotlib", "typst", "yaml")
    program = (
        "import sys; from saih.cli import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_planning_loads_no_gpu_stack(folder: Path) -> None:
    program = (
        "import sys; from saih.cli import run\n"
        "code = run(['plan', 'tiny.yaml'])\n"
        "print([name for name in ('torch', 'mpi4py', 'matplotlib') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stderr.strip() == "[]"


def test_a_reader_that_has_enough_ends_the_command_quietly(folder: Path) -> None:
    program = f"{sys.executable} -c 'from saih.cli import main; main()' schema | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


@pytest.mark.parametrize("redirection", [">/dev/full", "--json >/dev/full"])
def test_a_full_disk_behind_stdout_is_an_error_in_words(folder: Path, redirection: str) -> None:
    done = shell(folder, f"plan tiny.yaml {redirection}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "stdout cannot be written: No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("plan tiny.yaml >&-", 0),
        ("plan nothing 2>&-", 2),
        ("plan nothing 2>/dev/full", 2),
        ("plan nothing 2> >(exit 0)", 2),
        ("plan tiny.yaml --json --set axes.model.width=[] > >(exit 0)", 2),
    ],
)
def test_streams_that_take_nothing_keep_the_exit_code(folder: Path, command: str, exit_code: int) -> None:
    done = shell(folder, command)
    assert done.returncode == exit_code
    assert "mistake of its own" not in done.stderr


def shell(folder: Path, command: str) -> "subprocess.CompletedProcess[str]":
    program = f"{sys.executable} -c 'from saih.cli import main; main()' {command}"
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False, cwd=folder)


def test_a_plain_locale_breaks_no_output(folder: Path) -> None:
    done = process(
        "plan", "tiny.yaml", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_as_the_environment_asks(variables: dict[str, str], *, is_coloured: bool) -> None:
    done = process("status", "nothing", env={"PATH": "/usr/bin:/bin", **variables})
    assert done.returncode == 2
    assert ("\x1b[" in done.stderr) is is_coloured


def test_names_that_steer_a_terminal_are_told_inert() -> None:
    done = process("status", "\x1b]0;title\x07\u202e")
    assert "\x1b" not in done.stderr
    assert "\u202e" not in done.stderr


def test_doctor_finds_what_this_machine_has(saih: Saih, folder: Path) -> None:
    document = json.loads(saih("doctor", "--json").out)
    checks = {check["name"]: check for check in document["checks"]}
    assert document["is_fit"] is True
    assert "one world of 2" in checks["two ranks"]["found"]
    assert checks["GPU"]["is_needed"] is False
    assert files_below(folder) == {"tiny.yaml"}


def test_doctor_ends_with_3_where_something_is_missing(saih: Saih) -> None:
    said = saih("doctor", "--results", "/proc/results")
    assert said.exit_code == 3
    assert "MISSING" in said.out
    assert "--results" in said.out
