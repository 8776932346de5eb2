import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from saih.domain.errors import DamagedData
from tools.horovod_edits import EDITS, apply_edits, edits_digest
from tools.horovod_target import Target
from tools.horovod_wheel import cache_folder, main

ROOT = Path(__file__).parents[2]
TARGET = Target(
    torch="2.13.0+cpu",
    mpi="Open MPI v5.0.11",
    mpicxx=Path("/opt/mpi/bin/mpicxx"),
    has_nccl=False,
    has_cmake=True,
)
LIMIT_S = 120


def build(cache: Path | str, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program, with no package index to fetch from."""
    offline = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    environment = {**os.environ, **offline, "XDG_CACHE_HOME": str(cache), **environ}
    command = [sys.executable, "-m", "tools.horovod_wheel", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"torch": "2.12.0+cpu"},
        {"torch": "2.13.0+cu130 13.0"},
        {"mpi": "Open MPI v4.1.4"},
        {"mpicxx": Path("/usr/bin/mpicxx")},
        {"has_nccl": True},
    ],
)
def test_a_wheel_is_named_by_all_that_decides_it(changed: dict[str, object]) -> None:
    assert replace(TARGET, **changed).key != TARGET.key  # type: ignore[arg-type]  # of several fields


def test_where_cmake_comes_from_does_not_decide_the_wheel() -> None:
    assert replace(TARGET, has_cmake=False).key == TARGET.key


def test_the_name_of_a_wheels_folder_is_plain() -> None:
    key = replace(TARGET, torch="2.13.0+cu130 13.0").key
    assert key.startswith("horovod-0.28.1-torch-2.13.0-cu130-13.0-")
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_the_cache_is_where_the_user_wants_it(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "saih" / "horovod"
    assert cache_folder({}) == Path.home() / ".cache" / "saih" / "horovod"


def make_sources(folder: Path) -> None:
    for edit in EDITS:
        path = folder / edit.file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"// before\n{edit.old}// after\n")


def test_every_edit_is_made_once(tmp_path: Path) -> None:
    make_sources(tmp_path)
    apply_edits(tmp_path)
    for edit in EDITS:
        assert edit.new in (tmp_path / edit.file).read_text()
    assert len(edits_digest()) == 64


def test_sources_that_are_not_the_expected_ones_are_refused(tmp_path: Path) -> None:
    make_sources(tmp_path)
    (tmp_path / EDITS[0].file).write_text("set(CMAKE_CXX_STANDARD 20)\n")
    with pytest.raises(DamagedData, match="holds 0 times, not once: 'set\\(CMAKE_CXX_STANDARD 14\\)'"):
        apply_edits(tmp_path)


@pytest.mark.slow
def test_a_built_wheel_is_taken_from_the_cache_and_holds_the_library() -> None:
    done = build(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    assert done.returncode == 0, f"{done.stderr}\nmake horovod builds it before the tests"
    with zipfile.ZipFile(done.stdout.strip()) as wheel:
        assert any(name.startswith("horovod/torch/mpi_lib_v2.") for name in wheel.namelist())


@pytest.mark.slow
def test_a_damaged_wheel_is_removed_and_never_given(tmp_path: Path) -> None:
    kept = Path(build(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))).stdout.strip())
    copy = tmp_path / "saih" / "horovod" / kept.parent.name / kept.name
    copy.parent.mkdir(parents=True)
    shutil.copyfile(kept, copy)
    assert build(tmp_path).stdout == f"{copy}\n"
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2)
        file.write(bytes(64))
    damaged = build(tmp_path)
    assert (damaged.returncode, damaged.stdout) == (1, "")
    assert not copy.exists()


@pytest.mark.slow
def test_without_a_network_it_says_so_and_leaves_no_half_built_wheel(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "fetching what the build needs failed" in done.stderr
    assert "let pip reach a package index" in done.stderr
    log = next((tmp_path / "saih" / "horovod").glob("*.log"))
    assert str(log) in done.stderr
    assert [path.name for path in log.parent.iterdir() if path.suffix not in (".log", ".lock")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("programs", "problem", "remedy"),
    [
        ((), "there is no C++ compiler (c++, g++, clang++) on PATH", "apt-get install g++"),
        (("g++",), "there is no make on PATH", "apt-get install make"),
    ],
)
def test_a_missing_compiler_is_named_with_what_to_install(
    tmp_path: Path, programs: tuple[str, ...], problem: str, remedy: str
) -> None:
    for name in programs:
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = build(tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (3, "")
    assert problem in done.stderr
    assert remedy in done.stderr


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    assert main([]) == 3
    assert "set XDG_CACHE_HOME to a folder that you may write" in capsys.readouterr().err
