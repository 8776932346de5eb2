import getpass
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from saih.domain.record import environment_id
from saih.machine.environment import capture, installed_memory_gib
from saih.machine.source_version import source_version

CANARY = "canary-5f1c-never-to-be-seen"


def beside_source(facts: Mapping[str, str]) -> dict[str, str]:
    """The facts that nobody changes who edits this checkout while the tests run."""
    return {name: text for name, text in facts.items() if name not in ("commit", "changes")}


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    (root / "saih").mkdir(parents=True)
    (root / "saih" / "one.py").write_text("x = 1\n")
    (root / "README.md").write_text("text\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Begin")
    return root


def test_two_captures_have_the_same_facts_and_id() -> None:
    first, second = capture(), capture()
    assert beside_source(first.facts) == beside_source(second.facts)
    assert first.environment_id == environment_id(first.facts)


def test_another_process_with_another_affinity_finds_the_same_id() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "import json; from saih.machine.environment import capture; print(json.dumps(dict(capture().facts)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert beside_source(json.loads(done.stdout)) == beside_source(capture().facts)


def test_the_id_is_16_hexadecimal_digits_and_moves_with_every_fact() -> None:
    environment = capture()
    assert re.fullmatch(r"[0-9a-f]{16}", environment.environment_id)
    for name in environment.facts:
        changed = {**environment.facts, name: "changed"}
        assert environment_id(changed) != environment.environment_id


def test_everything_is_text_and_survives_json() -> None:
    environment = capture()
    texts = {**environment.facts, **environment.notes}
    assert all(isinstance(text, str) and text for text in texts.values())
    assert json.loads(json.dumps(texts)) == texts


def test_what_the_records_of_one_system_share_is_in_the_facts_and_the_rest_in_the_notes() -> None:
    environment = capture()
    assert {"cpu_model", "cpu_cores", "memory", "gpus", "python", "torch", "mpi_library", "commit"} <= set(
        environment.facts
    )
    assert {"host", "date_utc", "load_average", "cpus_visible"} <= set(environment.notes)
    assert not set(environment.facts) & set(environment.notes)


def test_no_secret_of_the_environment_and_no_user_name_is_recorded() -> None:
    program = (
        "import json; from saih.machine.environment import capture; e = capture();"
        "print(json.dumps([dict(e.facts), dict(e.notes)]))"
    )
    names = (
        "AWS_SECRET_ACCESS_KEY",
        "SITE_TOKEN",
        "USER",
        "LOGNAME",
        "HOME",
        "SAIH_CANARY",
        "SLURM_JOB_USER",
    )
    path = str(Path(sys.executable).parent) + ":/usr/bin:/bin"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": path, **dict.fromkeys(names, CANARY)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert CANARY not in done.stdout
    words = set(re.split(r"[^\w.-]+", done.stdout))
    assert getpass.getuser() not in words
    assert not re.search(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", done.stdout)


def test_a_capture_loads_neither_torch_nor_mpi() -> None:
    program = (
        "import sys; from saih.machine.environment import capture; capture();"
        "print('torch' in sys.modules, 'mpi4py' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    ("total_gib", "installed"), [(23.54, 24), (251.4, 256), (503.2, 512), (7.7, 8), (64, 64)]
)
def test_installed_memory_does_not_depend_on_what_the_kernel_keeps(
    total_gib: float, installed: float
) -> None:
    assert installed_memory_gib(int(total_gib * 2**30)) == installed


def test_a_clean_checkout_has_a_commit_and_no_changes(checkout: Path) -> None:
    found = source_version(checkout)
    assert re.fullmatch(r"[0-9a-f]{40}", found.commit)
    assert found.changes == "none"


def test_changes_of_the_source_are_hashed_and_those_of_texts_are_not(checkout: Path) -> None:
    (checkout / "README.md").write_text("other text\n")
    assert source_version(checkout).changes == "none"
    (checkout / "saih" / "one.py").write_text("x = 2\n")
    first = source_version(checkout)
    assert source_version(checkout) == first
    (checkout / "saih" / "one.py").write_text("x = 3\n")
    second = source_version(checkout)
    assert re.fullmatch(r"[0-9a-f]{16}", first.changes)
    assert first.changes != second.changes
    assert first.commit == second.commit
    (checkout / "saih" / "one.py").write_text("x = 1\n")
    assert source_version(checkout).changes == "none"


def test_a_package_below_a_foreign_checkout_or_outside_any_is_a_wheel(checkout: Path, tmp_path: Path) -> None:
    installed = checkout / "venv" / "site-packages"
    (installed / "saih").mkdir(parents=True)
    assert source_version(installed).commit == "wheel"
    assert source_version(tmp_path).commit == "wheel"


def test_a_checkout_without_a_commit_is_unknown(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert source_version(tmp_path).commit == "unknown"
