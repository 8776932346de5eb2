"""Site files: what is read, that mistakes teach, and that no value can be more than a value."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saih.config.mistake import SweepFileError
from saih.config.site_file import explained_site, find_site, parse_site, read_site, site_json_schema
from saih.config.site_schema import OWN_OPTIONS, SITE_SCHEMA
from saih.domain.errors import UsageError
from saih.domain.site import Site

SMALLEST = "name: hpc\nscheduler: slurm\n"
WHOLE = (
    SMALLEST
    + """\
partition: gpu_a100
account: proj-42
qos: normal
constraint: a100&ib|x
options: ['--reservation=tests', '--licenses=a:2,b', '--hint nomultithread']
modules: [gcc, openmpi/5.0.5+cuda]
environment: {NCCL_DEBUG: WARN, WORDS: "$(touch X); 'a' `b`", EMPTY: ""}
container: /shared/my images/saih.sif
container_options: ['--nv', '--bind', '/a b:/c']
python: python3.11
starter: srun
srun_mpi: pmix_v4
cores_per_node: 64
gpus_per_node: 4
memory_GiB_per_node: 1.5
gpu_memory_GiB: 80
power_W_per_node: 750.5
max_nodes: 128
max_time_h: 0.5
notice_s: 60
max_jobs: 3
is_exclusive: false
is_requeued: false
packing: placement
staging_folder: /local/scratch
"""
)
HOSTILE = (
    "$(touch X)",
    "`touch X`",
    "a;b",
    "a\nb",
    'a"b',
    "a'b",
    "%x",
    "a b",
    "-p",
    "..",
    "ü",
    "a\\b",
    "#x",
    "a\x00",
)


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        parse_site(text, "f.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


def quoted(text: str) -> str:
    """``text`` as a YAML scalar in double quotes."""
    return '"' + "".join(f"\\U{ord(letter):08x}" for letter in text) + '"'


def test_what_a_file_leaves_out_takes_the_defaults_of_the_domain() -> None:
    assert parse_site(SMALLEST, "f") == Site(name="hpc", scheduler="slurm")


def test_every_key_reaches_the_site() -> None:
    site = parse_site(WHOLE, "f")
    assert site == Site(
        name="hpc",
        scheduler="slurm",
        partition="gpu_a100",
        account="proj-42",
        qos="normal",
        constraint="a100&ib|x",
        options=("--reservation=tests", "--licenses=a:2,b", "--hint nomultithread"),
        modules=("gcc", "openmpi/5.0.5+cuda"),
        environment={"NCCL_DEBUG": "WARN", "WORDS": "$(touch X); 'a' `b`", "EMPTY": ""},
        container="/shared/my images/saih.sif",
        container_options=("--nv", "--bind", "/a b:/c"),
        python="python3.11",
        starter="srun",
        srun_mpi="pmix_v4",
        cores_per_node=64,
        gpus_per_node=4,
        memory_bytes_per_node=3 * 2**29,
        gpu_memory_bytes=80 * 2**30,
        power_w_per_node=750.5,
        max_nodes=128,
        max_time_s=1800.0,
        notice_s=60.0,
        max_jobs=3,
        is_exclusive=False,
        is_requeued=False,
        packing="placement",
        staging_folder="/local/scratch",
    )
    defaults = Site()
    unchanged = [one.name for one in fields(Site) if getattr(site, one.name) == getattr(defaults, one.name)]
    assert unchanged == ["testbed"]  # no batch scheduler has one


def test_a_testbed_belongs_to_the_local_scheduler() -> None:
    assert parse_site("name: x\nscheduler: local\ntestbed: /t.json\n", "f").testbed == "/t.json"


def test_every_mistake_is_told_at_once_with_its_place_and_a_remedy() -> None:
    text = (
        "name: x\nscheduler: slrm\npartiton: a\nmax_time_h: 4h\n"
        "is_exclusive: yes\nmax_jobs: 0\naccount: 007\n"
    )
    found = mistakes_of(text)
    assert [one.split(": ")[0] for one in found] == [
        "f.yaml:2:12",
        "f.yaml:3:1",
        "f.yaml:4:13",
        "f.yaml:5:15",
        "f.yaml:6:11",
        "f.yaml:7:10",
    ]
    assert "did you mean slurm?" in found[0]
    assert "did you mean partition?" in found[1]
    assert "true or false" in found[3]
    assert "quotes" in found[5]


def test_a_missing_file_is_told_with_the_command_that_writes_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no site file") as caught:
        read_site(tmp_path / "none.yaml")
    assert "saih init --site" in caught.value.remedy


@pytest.mark.parametrize("key", ["name", "partition", "account", "qos", "constraint", "srun_mpi"])
@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_names_that_reach_directives_hold_harmless_characters_only(key: str, value: str) -> None:
    lines = [f"{line}\n" for line in SMALLEST.splitlines() if not line.startswith(f"{key}:")]
    found = mistakes_of("".join(lines) + f"{key}: {quoted(value)}\n")
    assert any(f" {key}: " in one for one in found)


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_options_and_modules_hold_harmless_characters_only(value: str) -> None:
    assert mistakes_of(SMALLEST + f"options: [{quoted(f'--a={value}')}]\n")
    assert mistakes_of(SMALLEST + f"modules: [{quoted(value)}]\n")


@given(st.text(max_size=30))
@settings(max_examples=300)
def test_free_text_is_kept_as_it_is_or_refused_for_its_control_characters(text: str) -> None:
    document = SMALLEST + f"environment: {{A: {quoted(text)}}}\n"
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]", text):
        assert mistakes_of(document)
    else:
        assert parse_site(document, "f").environment == {"A": text}


@given(st.text(max_size=12))
@settings(max_examples=300)
def test_names_of_variables_are_those_that_a_shell_can_export(name: str) -> None:
    document = SMALLEST + f"environment: {{{quoted(name)}: a}}\n"
    is_sound = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None
    is_kept = name in {"UID", "EUID", "PPID", "BASHOPTS", "BASHPID", "SHELLOPTS", "BASH_ENV", "ENV", "IFS"}
    if is_sound and not is_kept:
        assert parse_site(document, "f").environment == {name: "a"}
    else:
        assert mistakes_of(document)


@pytest.mark.parametrize("name", ["UID", "BASHPID", "BASH_ENV", "IFS"])
def test_variables_that_the_shell_keeps_for_itself_are_refused(name: str) -> None:
    assert mistakes_of(SMALLEST + f"environment: {{{name}: a}}\n")


@pytest.mark.parametrize(("scheduler", "options"), OWN_OPTIONS.items())
def test_options_that_saih_sets_itself_are_refused(scheduler: str, options: tuple[str, ...]) -> None:
    for option in options:
        (found,) = mistakes_of(f"name: x\nscheduler: {scheduler}\noptions: ['{option}=1']\n")
        assert f"the option {option}," in found


@pytest.mark.parametrize("option", ["-N4", "-N 4", "--nod=4", "--out=x", "--dependency=singleton", "-Jx"])
def test_short_and_cut_forms_of_such_options_are_refused_too(option: str) -> None:
    assert mistakes_of(SMALLEST + f"options: ['{option}']\n")


@pytest.mark.parametrize("option", ["--nice=10", "--exclude=n1", "--mail-type=END", "--no-kill"])
def test_other_options_are_taken(option: str) -> None:
    assert parse_site(SMALLEST + f"options: ['{option}']\n", "f").options == (option,)


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("scheduler: local\npartition: a", "partition"),
        ("scheduler: pbs\nstarter: srun", "starter"),
        ("scheduler: flux\nqos: a", "qos"),
        ("scheduler: slurm\ntestbed: /t.json", "testbed"),
        ("scheduler: slurm\ncontainer_options: ['--nv']", "container_options"),
        ("scheduler: slurm\nmax_time_h: 0.01\nnotice_s: 30", "notice_s"),
    ],
)
def test_what_contradicts_itself_is_told(lines: str, key: str) -> None:
    (found,) = mistakes_of(f"name: x\n{lines}\n")
    assert f" {key}: " in found


def test_the_explained_file_is_a_site_with_every_key_at_hand() -> None:
    text = explained_site()
    assert parse_site(text, "f") == Site(name="mycluster", scheduler="slurm")
    keys = "|".join(key.name for key in SITE_SCHEMA.keys if key.name != "testbed")
    everything = re.sub(rf"^# ((?:{keys}): (?!all))", r"\1", text, flags=re.MULTILINE)
    site = parse_site(everything, "f")
    assert site.options == ("--reservation=tests",)
    assert site.environment
    assert site.max_nodes == 128
    for key in SITE_SCHEMA.keys:
        assert f"# {key.meaning}" in text


def test_the_option_wins_over_the_variable(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"name: {name}\nscheduler: local\n")
    environ = {"SAIH_SITE": str(tmp_path / "two")}
    assert find_site(None, {}) is None
    by_variable, by_option = find_site(None, environ), find_site(str(tmp_path / "one"), environ)
    assert by_variable is not None
    assert by_option is not None
    assert (by_variable.name, by_option.name) == ("two", "one")


def test_the_json_schema_describes_every_key() -> None:
    schema = site_json_schema()
    assert list(schema["properties"]) == [key.name for key in SITE_SCHEMA.keys]
    assert schema["required"] == ["name", "scheduler"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["is_exclusive"]["type"] == "boolean"
    assert schema["properties"]["environment"]["additionalProperties"]["type"] == "string"
