"""What a trivial point costs in each suite: N of them as one command, in an environment of its own.

ReFrame and JUBE start one process that does nothing for each point, on their local scheduler with default
settings. SAIH brings each point to an outcome of its own inside ranks that ``mpirun`` started, as
``saih sweep`` does: attempt, steps and outcome are written and synced.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_REFRAME_TEST = """import os
import reframe as rfm
import reframe.utility.sanity as sn


@rfm.simple_test
class Trivial(rfm.RunOnlyRegressionTest):
    number = parameter(range(int(os.environ["TRIVIAL_POINTS"])))
    executable = "true"
    valid_systems = ["*"]
    valid_prog_environs = ["*"]

    @sanity_function
    def is_done(self):
        return sn.assert_true(True)
"""
_JUBE_BENCHMARK = """name: trivial
outpath: {outpath}
parameterset:
  name: points
  parameter: {{name: number, type: int, _: "{numbers}"}}
step:
  name: run
  use: points
  do: "true"
"""
JUBE_SOURCE = "git+https://github.com/FZJ-JSC/JUBE"
"""JUBE is not in the Python package index; SAIH_JUBE_SOURCE names another source that pip takes."""
_INSTALL_LIMIT_S, _RUN_LIMIT_S = 600, 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One suite: ``run(N, folder)`` brings N trivial points to their end in an empty folder."""

    name: str
    run: Callable[[int, Path], None]


def suites() -> tuple[list[Suite], list[str]]:
    """SAIH and the peers that can be had here, and why the others cannot."""
    found, missing = [Suite(name="SAIH", run=_run_saih)], []
    sources = {"ReFrame": "reframe-hpc", "JUBE": os.environ.get("SAIH_JUBE_SOURCE", JUBE_SOURCE)}
    runs = {"ReFrame": _run_reframe, "JUBE": _run_jube}
    for name, source in sources.items():
        try:
            _install(name.lower(), source)
            found.append(Suite(name=name, run=runs[name]))
        except (subprocess.SubprocessError, OSError) as error:
            missing.append(f"{name} cannot be installed from {source}: {_last_line(error)}")
    return found, missing


def seconds(suite: Suite, num_points: int, folder: Path) -> float:
    """Wall time of one command for so many points."""
    folder.mkdir(parents=True)
    begun_s = time.perf_counter()
    suite.run(num_points, folder)
    return time.perf_counter() - begun_s


def _run_saih(num_points: int, folder: Path) -> None:
    _call([sys.executable, "-m", "benchmarks.orchestration_saih", str(num_points), str(folder)], Path.cwd())


def _run_reframe(num_points: int, folder: Path) -> None:
    test = folder / "trivial.py"
    test.write_text(_REFRAME_TEST)
    program = _peers_folder() / "reframe" / "bin" / "reframe"
    command = [str(program), "-c", str(test), "-r", "--prefix", str(folder / "prefix")]
    said = _call(command, folder, TRIVIAL_POINTS=str(num_points))
    if f"Ran {num_points}/{num_points} test case(s)" not in said:
        raise RuntimeError(f"ReFrame did not run {num_points} points: {said[-500:]}")


def _run_jube(num_points: int, folder: Path) -> None:
    numbers = ",".join(map(str, range(num_points)))
    benchmark = folder / "trivial.yaml"
    benchmark.write_text(_JUBE_BENCHMARK.format(outpath=folder / "runs", numbers=numbers))
    _call([str(_peers_folder() / "jube" / "bin" / "jube"), "run", str(benchmark)], folder)
    if (done := len(list((folder / "runs").glob("*/*_run/done")))) != num_points:
        raise RuntimeError(f"JUBE finished {done} of {num_points} points")


def _install(name: str, source: str) -> None:
    folder = _peers_folder() / name
    if (folder / "bin" / name).is_file():
        return
    _call([sys.executable, "-m", "venv", "--clear", str(folder)], Path.cwd(), limit_s=_INSTALL_LIMIT_S)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", source]
    _call(pip, Path.cwd(), limit_s=_INSTALL_LIMIT_S)


def _peers_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "saih" / "peers"


def _call(command: Sequence[str], folder: Path, *, limit_s: float = _RUN_LIMIT_S, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=True,
    )
    return done.stdout


def _last_line(error: Exception) -> str:
    said = str(getattr(error, "stderr", "") or error).strip()
    return said.splitlines()[-1] if said else type(error).__name__
