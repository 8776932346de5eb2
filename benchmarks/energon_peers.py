"""Peers of the engine that need ranks: processes that wait for their turn, in environments of their own.

DeepSpeed and accelerate are installed below the user's cache, without what they would pull in, on top of the
torch and transformers that run the benchmark: what differs then is the system, not the library below it.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

DEEPSPEED, ACCELERATE = "deepspeed==0.19.8", "accelerate==1.15.0"
_BESIDE = ("setuptools", "wheel", "hjson", "msgpack", "ninja", "py-cpuinfo", "pydantic", "einops")
_INSTALL_LIMIT_S = 900
_END_LIMIT_S = 20


class PeerError(RuntimeError):
    """A peer that cannot be had here; the message says why."""


class PeerRanks:
    """Running ranks of one peer."""

    def __init__(self, name: str, processes: Sequence["subprocess.Popen[str]"]) -> None:
        self.pids = [process.pid for process in processes]
        self._name = name
        self._asks = [process.stdin for process in processes if process.stdin]
        self._answers = [process.stdout for process in processes if process.stdout]

    def turn(self) -> tuple[float, float]:
        """One forward pass: seconds of the slowest rank, and the checksum of the first.

        Raises:
            PeerError: when a rank has ended.
        """
        try:
            for ask in self._asks:
                ask.write("turn\n")
                ask.flush()
        except OSError as error:
            raise PeerError(f"{self._name}: a rank has ended") from error
        answers = [self._answer(lines) for lines in self._answers]
        return max(answer[0] for answer in answers), answers[0][1]

    def _answer(self, lines: IO[str]) -> tuple[float, float]:
        # Libraries print to the standard output too: an answer is the line that says so.
        for line in lines:
            if line.startswith("turn "):
                seconds, checksum = json.loads(line.removeprefix("turn "))
                return seconds, checksum
        raise PeerError(f"{self._name}: a rank has ended")


@contextlib.contextmanager
def start_ranks(
    name: str, num_ranks: int, words: Sequence[str], python: Path | None = None
) -> Iterator[PeerRanks]:
    """Ranks of ``benchmarks.energon_peer_worker NAME WORDS``, ended when the context is left."""
    port = _free_port()
    processes = [
        subprocess.Popen(
            [str(python or sys.executable), "-m", "benchmarks.energon_peer_worker", name, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(num_ranks),
                "LOCAL_SIZE": str(num_ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
                "PYTHONWARNINGS": "ignore",  # theirs
                "DS_ACCELERATOR": "cpu",
            },
        )
        for rank in range(num_ranks)
    ]
    try:
        yield PeerRanks(name, processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=_END_LIMIT_S)


def deepspeed_python() -> Path:
    """The interpreter of an environment with DeepSpeed, made where there is none.

    Raises:
        PeerError: when it cannot be installed.
    """
    return _python("deepspeed", DEEPSPEED, _BESIDE, DS_BUILD_OPS="0")


def accelerate_python() -> Path:
    """The interpreter of an environment with accelerate, made where there is none.

    Raises:
        PeerError: when it cannot be installed.
    """
    return _python("accelerate", ACCELERATE, ("psutil",))


def _python(name: str, package: str, beside: Sequence[str], **variables: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "saih" / "peers" / name
    python, stamp = folder / "bin" / "python", folder / package
    # An environment is good for the packages of one interpreter only: the stamp says which.
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _own_packages():
        print(f"making an environment for {package} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        _share_packages(python)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        _install([*pip, *beside])
        _install([*pip, "--no-deps", "--no-build-isolation", package], **variables)
        stamp.write_text(_own_packages(), encoding="utf-8")
    return python


def _share_packages(python: Path) -> None:
    """Let the environment see what this interpreter has installed, behind its own."""
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = _install([str(python), "-c", question]).strip()
    Path(own, "of-the-benchmark.pth").write_text(
        f"import site; site.addsitedir({_own_packages()!r})\n", encoding="utf-8"
    )


def _own_packages() -> str:
    """Where the torch of this interpreter is installed, with all else."""
    return next(path for path in sys.path if (Path(path) / "torch").is_dir())


def _install(command: Sequence[str], **variables: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_INSTALL_LIMIT_S,
            check=True,
            env={**os.environ, **variables},
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise PeerError(f"{' '.join(command)} failed: {said[-1] if said else 'no message'}") from error
    return done.stdout


def _free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port
