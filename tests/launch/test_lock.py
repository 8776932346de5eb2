"""The sweep's lock: held by whoever inherited it, waited for, and done without where there is none."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saih.domain.errors import UsageError
from saih.launch.lock import sweep_lock


def test_a_held_lock_names_its_holder_and_a_released_one_is_taken(tmp_path: Path) -> None:
    path, warnings = tmp_path / "sweep" / "lock", []
    with sweep_lock(path, 0.0, warnings.append):
        words = rf"process {os.getpid()} on .*, since 20"
        with pytest.raises(UsageError, match=words) as caught, sweep_lock(path, 0.0, warnings.append):
            pytest.fail("two drivers hold one lock")
        assert caught.value.exit_code == 2
    with sweep_lock(path, 0.0, warnings.append) as descriptor:
        assert descriptor > 2
    assert warnings == []


def test_a_child_that_inherited_the_lock_keeps_it_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with sweep_lock(path, 0.0, pytest.fail) as descriptor:
        program = "import time; time.sleep(0.8)"
        child = subprocess.Popen([sys.executable, "-c", program], pass_fds=(descriptor,))
    with pytest.raises(UsageError), sweep_lock(path, 0.0, pytest.fail):
        pytest.fail("the lock did not wait for the child")
    begin_s = time.monotonic()
    with sweep_lock(path, 20.0, pytest.fail):
        assert time.monotonic() - begin_s > 0.1
        assert child.wait(timeout=5) == 0


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 524])
def test_a_file_system_without_locks_is_used_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    warnings: list[str] = []
    with sweep_lock(tmp_path / "lock", 0.0, warnings.append):
        assert len(warnings) == 1
    assert "without locks" in warnings[0]


def test_a_lock_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match="cannot write in"),
        sweep_lock(tmp_path / "file" / "lock", 0.0, print),
    ):
        pytest.fail("a file is no folder")


def test_a_holder_that_left_no_name_is_still_respected(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with sweep_lock(path, 0.0, pytest.fail):
        path.write_text("[]")
        with pytest.raises(UsageError, match="left no name"), sweep_lock(path, 0.0, pytest.fail):
            pytest.fail("two drivers hold one lock")
