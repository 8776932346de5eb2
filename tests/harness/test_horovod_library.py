import os
import subprocess
import sys
from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing
from saih.harness.horovod_library import check_settings, require_horovod

PROGRAM = """
import os
from saih.domain.errors import EnvironmentMissing
from saih.harness.horovod_library import require_horovod
try:
    require_horovod(os.environ)
except EnvironmentMissing as error:
    print(error)
"""


def said_with(folder: Path, library: str) -> str:
    """What a process says whose Horovod has this text as its library."""
    torch = folder / "horovod" / "torch"
    torch.mkdir(parents=True)
    (folder / "horovod" / "__init__.py").write_text("")
    (torch / "__init__.py").write_text("")
    (torch / "mpi_lib_v2.py").write_text(library)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_missing_horovod_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if "site-packages" not in path])
    with pytest.raises(EnvironmentMissing, match=r"not installed\n  -> build and install .*make horovod"):
        require_horovod({})


@pytest.mark.slow
def test_the_built_horovod_is_accepted() -> None:
    require_horovod({})


@pytest.mark.slow
def test_a_horovod_of_another_torch_is_to_be_built_again(tmp_path: Path) -> None:
    said = said_with(tmp_path, "raise ImportError('undefined symbol: _ZN2at')")
    assert "built for another torch or MPI: undefined symbol: _ZN2at" in said
    assert "make horovod" in said


@pytest.mark.slow
def test_a_horovod_that_does_not_tell_ends_of_averages_is_refused(tmp_path: Path) -> None:
    said = said_with(tmp_path, "")
    assert "does not tell when a gradient was averaged" in said
    assert "make horovod" in said


@pytest.mark.parametrize(
    "harmless", [{}, {"HOROVOD_LOG_LEVEL": "debug"}, {"HOROVOD_WITH_MPI": "1"}, {"HOROVOD_GPU": "CUDA"}]
)
def test_settings_that_change_no_measurement_are_let_pass(harmless: dict[str, str]) -> None:
    check_settings({"PATH": "/bin", **harmless})


def test_a_variable_that_tunes_horovod_is_refused_with_its_value() -> None:
    environ = {"HOROVOD_FUSION_THRESHOLD": "0", "HOROVOD_CYCLE_TIME": "5", "HOME": "/"}
    with pytest.raises(EnvironmentMissing, match="HOROVOD_CYCLE_TIME=5, HOROVOD_FUSION_THRESHOLD=0 would"):
        check_settings(environ)
