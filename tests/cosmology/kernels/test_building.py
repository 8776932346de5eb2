from pathlib import Path

import pytest

from cosmology.kernels import building
from cosmology.kernels.building import KernelError

make = building.library.__wrapped__  # as in a process that has not asked yet


def test_a_library_is_made_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    make()
    (made,) = (tmp_path / "saih" / "kernels").iterdir()
    when = made.stat().st_mtime_ns
    make()
    assert made.stat().st_mtime_ns == when


def test_without_a_compiler_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KernelError, match=r"no C\+\+ compiler .* run with kernels: torch"):
        make()


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho no space for objects >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(KernelError, match="no space for objects"):
        make()
    assert not list((tmp_path / "cache" / "saih" / "kernels").iterdir())


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    with pytest.raises(KernelError, match="set XDG_CACHE_HOME to a folder that you may write"):
        make()


def test_a_damaged_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Path(building.library()._name)
    damaged = tmp_path / "saih" / "kernels" / made.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no library")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KernelError, match=r"cannot be loaded: .*; remove it"):
        make()
