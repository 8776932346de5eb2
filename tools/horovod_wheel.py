"""Builds Horovod as a wheel against the installed torch and MPI, once for each combination of them.

``python -m tools.horovod_wheel`` prints the wheel's path; with ``--install`` it is also installed for this
Python. Wheels are kept below ``$XDG_CACHE_HOME/saih/horovod`` (default ``~/.cache``), in a folder named by
all that decides them. A wheel gets there by one rename, after it was loaded: half-built ones are never
seen, and two builders at once do each other no harm. Its GPU operations use NCCL where torch has CUDA and
nvcc is there; elsewhere it has none.
"""

import argparse
import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from saih.domain.errors import EnvironmentMissing, SaihError
from tools.horovod_edits import apply_edits
from tools.horovod_target import Target, find_target

SDIST = "horovod-0.28.1.tar.gz"
SDIST_SHA256 = "92a43f5a94c43907a56805bad15f19700c62ffc83b7ca483f9e104e229f67ef0"
BUILD_PACKAGES = ("setuptools", "packaging", "cffi", "cloudpickle", "psutil", "PyYAML")
CMAKE_PACKAGE = "cmake"
"""Fetched where the machine has no cmake."""
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
NEEDED_BYTES = 600 * 2**20
"""Sources, objects and packages of one build take about 400 MiB; removed when it ends."""
_TAIL_LINES = 15
_MOVE = "the wheel of the same Python, torch and MPI may be copied and installed with pip."


def main(arguments: Sequence[str]) -> int:
    """Build or find the wheel, print its path, install it when asked; the error's exit code when it fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--install", action="store_true", help="install the wheel for this Python")
    options = parser.parse_args(arguments)
    try:
        wheel = horovod_wheel(cache_folder(os.environ), os.environ)
        if options.install:
            _install(wheel)
    except SaihError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(wheel)
    return 0


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where wheels, the sources and logs of failed builds are kept."""
    base = environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / "saih" / "horovod"


def horovod_wheel(cache: Path, environ: Mapping[str, str]) -> Path:
    """The wheel for this Python, its torch and its MPI; built when it is not in ``cache``.

    Raises:
        EnvironmentMissing: without torch, mpi4py, a compiler, the network or room on the disk.
        SaihError: when the build fails; names its log.
    """
    target = find_target(environ)
    home = cache / target.key
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _only_builder(cache / f"{target.key}.lock"):
            if (kept := _kept_wheel(home)) is None:
                kept = _build(target, home, environ)
    except OSError as error:
        raise _disk_error(error, cache) from error
    return kept


def _kept_wheel(home: Path) -> Path | None:
    """The wheel in ``home``; a damaged one is removed."""
    for wheel in home.glob("*.whl"):
        try:
            with zipfile.ZipFile(wheel) as archive:
                if archive.testzip() is None:
                    return wheel
        except zipfile.BadZipFile:
            pass
        wheel.unlink()
    if home.is_dir():
        shutil.rmtree(home)
    return None


@contextmanager
def _only_builder(path: Path) -> Iterator[None]:
    """Wait for another builder of the same wheel; file systems without locks let both build."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
        yield


def _build(target: Target, home: Path, environ: Mapping[str, str]) -> Path:
    cache = home.parent
    free_bytes = shutil.disk_usage(cache).free
    if free_bytes < NEEDED_BYTES:
        raise EnvironmentMissing(
            f"{cache} has {free_bytes / 2**20:.0f} MiB free, and building Horovod takes up to "
            f"{NEEDED_BYTES / 2**20:.0f} MiB for a while.",
            "make room there, or set XDG_CACHE_HOME to another folder.",
        )
    log_path = cache / f"{target.key}.log"
    print(f"building Horovod for {target.description}: some minutes; log: {log_path}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as name, log_path.open("w") as log:
        folder = Path(name)
        shell = Shell(_build_environment(target, folder, environ), log_path, log.fileno())
        _fetch_packages(shell, target, folder)
        source = _unpack(_fetch_sdist(shell, cache, folder), folder)
        apply_edits(source)
        out = folder / "out"
        shell.run("compiling Horovod", [*_pip("wheel"), "--no-build-isolation", "-w", str(out), str(source)])
        (wheel,) = out.glob("*.whl")
        _try_out(shell, wheel, folder)
        _publish(out, home)
    return home / wheel.name


class Shell:
    """Runs the programs of one build, their output in its log."""

    def __init__(self, environment: Mapping[str, str], log_path: Path, log: int) -> None:
        self._environment = dict(environment)
        self._log_path = log_path
        self._log = log

    def run(self, what: str, command: Sequence[str]) -> None:
        """Run ``command`` to its end.

        Raises:
            SaihError: when it fails, with the last lines that it said.
        """
        os.write(self._log, f"\n# {what}: {' '.join(command)}\n".encode())
        start = self._log_path.stat().st_size
        done = subprocess.run(command, env=self._environment, stdout=self._log, stderr=self._log, check=False)
        if done.returncode == 0:
            return
        with self._log_path.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
        raise SaihError(
            f"{what} failed with exit status {done.returncode}; the last lines of {self._log_path}:\n    "
            + "\n    ".join(lines[-_TAIL_LINES:]),
            _remedy(what, "\n".join(lines)),
        )


def _remedy(what: str, said: str) -> str:
    if "No space left on device" in said:
        return "make room there, or set XDG_CACHE_HOME to another folder."
    if "DO NOT MATCH THE HASHES" in said:
        return f"the index gave other sources than {SDIST} as it was published: use another package index."
    # Pip says in many ways that it found no package; with exact versions it has nothing else to solve.
    if what.startswith("fetching"):
        return "let pip reach a package index (PIP_INDEX_URL, a proxy), or build where it can: " + _MOVE
    return "mend what the log says, and build again."


def _build_environment(target: Target, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    packages = folder / "packages"
    kept = {name: value for name, value in environ.items() if not name.startswith("HOROVOD_WITH")}
    return {
        "MAKEFLAGS": f"-j{len(os.sched_getaffinity(0))}",
        # Its bundled libraries ask for a policy version that cmake 4 no longer has.
        "CMAKE_POLICY_VERSION_MINIMUM": "3.5",
        **kept,
        "PYTHONPATH": str(packages),
        "PATH": os.pathsep.join([str(target.mpicxx.parent), str(packages / "bin"), environ.get("PATH", "")]),
        "TMPDIR": str(folder),
        "HOROVOD_WITH_PYTORCH": "1",
        "HOROVOD_WITHOUT_TENSORFLOW": "1",
        "HOROVOD_WITHOUT_MXNET": "1",
        "HOROVOD_WITH_MPI": "1",
        "HOROVOD_WITHOUT_GLOO": "1",
        **({"HOROVOD_GPU_OPERATIONS": "NCCL"} if target.has_nccl else {}),
        **({} if target.has_cmake else {"HOROVOD_CMAKE": str(packages / "bin" / "cmake")}),
    }


def _pip(verb: str) -> list[str]:
    return [sys.executable, "-m", "pip", verb, "--disable-pip-version-check", "--no-input", "--no-deps"]


def _fetch_packages(shell: Shell, target: Target, folder: Path) -> None:
    names = [*BUILD_PACKAGES, *([] if target.has_cmake else [CMAKE_PACKAGE])]
    install = ["--constraint", str(CONSTRAINTS), "--target", str(folder / "packages"), *names]
    shell.run("fetching what the build needs", [*_pip("install"), *install])


def _fetch_sdist(shell: Shell, cache: Path, folder: Path) -> Path:
    """The sources, whose SHA-256 pip checks before it looks into them."""
    version = SDIST.removeprefix("horovod-").removesuffix(".tar.gz")
    wanted = folder / "horovod.txt"
    wanted.write_text(f"horovod=={version} --hash=sha256:{SDIST_SHA256}\n")
    download = [*_pip("download"), "--no-binary", ":all:", "--no-build-isolation", "--require-hashes"]
    nearby = ["--find-links", str(cache)] if _is_whole(cache / SDIST) else []
    shell.run("fetching Horovod's sources", [*download, *nearby, "-d", str(folder), "-r", str(wanted)])
    shutil.copyfile(folder / SDIST, folder / f"copy-{SDIST}")
    (folder / f"copy-{SDIST}").replace(cache / SDIST)
    return folder / SDIST


def _is_whole(sdist: Path) -> bool:
    return sdist.is_file() and hashlib.sha256(sdist.read_bytes()).hexdigest() == SDIST_SHA256


def _unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    return folder / "source" / SDIST.removesuffix(".tar.gz")


def _try_out(shell: Shell, wheel: Path, folder: Path) -> None:
    """Load the wheel: a library that does not load is found now, not in a job."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "packages")  # noqa: S202  # built a moment ago, from checked sources
    program = (
        "import horovod.torch as hvd; from horovod.torch import mpi_lib_v2 as lib; "
        "assert hvd.mpi_built() and lib.horovod_torch_last_finished_ns() == 0"
    )
    shell.run("loading the new Horovod", [sys.executable, "-c", program])


def _publish(out: Path, home: Path) -> None:
    for path in out.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    try:
        out.rename(home)
    except OSError as error:
        # Without locks, another builder may have been first; its wheel is as good.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or _kept_wheel(home) is None:
            raise


def _install(wheel: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # The version never changes, so pip would keep one that was built for another torch.
    steps = ([str(wheel)], ["--force-reinstall", "--no-deps", str(wheel)])
    for step in steps:
        done = subprocess.run([*command, "--constraint", str(CONSTRAINTS), *step], check=False)
        if done.returncode != 0:
            raise SaihError(f"pip could not install {wheel}; see above.", "mend what it says, and try again.")


def _disk_error(error: OSError, cache: Path) -> SaihError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentMissing(
            f"the disk of {cache} is full ({error.strerror}).",
            "make room there, or set XDG_CACHE_HOME to another folder.",
        )
    return EnvironmentMissing(
        f"{error.filename or cache} cannot be used: {error.strerror}.",
        "set XDG_CACHE_HOME to a folder that you may write.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
