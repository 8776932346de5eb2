"""Independent particle-mesh codes, each in an environment of its own below the user's cache."""

import contextlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

PEERS = {"pmpp": "pmpp==1.1.0", "jaxpm": "jaxpm==0.1.6"}
_BESIDE = {"jaxpm": ("packaging",)}  # it imports what it does not ask for
_WORKER = Path(__file__).with_name("generation_peer_worker.py")
_INSTALL_LIMIT_S, _END_LIMIT_S = 900, 20


class PeerError(RuntimeError):
    """A peer that cannot be had here; the message says why."""


class Peer:
    """A running peer that answers one question at a time and is idle between."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self.name = name
        self._process = process

    def ask(self, question: Mapping[str, object]) -> dict[str, float]:
        """Its answer.

        Raises:
            PeerError: when it has ended.
        """
        asks, lines = self._process.stdin, self._process.stdout
        if asks is None or lines is None:
            raise PeerError(f"{self.name}: has no pipes")
        with contextlib.suppress(OSError):
            asks.write(json.dumps(question) + "\n")
            asks.flush()
        # Libraries print to the standard output too: an answer is the line that says so.
        for line in lines:
            if line.startswith("answer "):
                answer: dict[str, float] = json.loads(line.removeprefix("answer "))
                return answer
        raise PeerError(f"{self.name}: has ended with status {self._process.wait(_END_LIMIT_S)}")


@contextlib.contextmanager
def peer(name: str, num_cores: int) -> Iterator[Peer]:
    """A peer on as many of these cores, ended when the context is left.

    Raises:
        PeerError: when it cannot be installed.
    """
    process = subprocess.Popen(
        [str(_python_of(name)), str(_WORKER), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(num_cores), "JAX_PLATFORMS": "cpu"},
    )
    os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:num_cores])  # before it has threads
    try:
        yield Peer(name, process)
    finally:
        process.kill()
        process.communicate(timeout=_END_LIMIT_S)


def _python_of(name: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "saih" / "peers" / name
    python, stamp = folder / "bin" / "python", folder / PEERS[name]
    if not stamp.is_file():
        print(f"making an environment for {PEERS[name]} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        _install([str(python), "-m", "pip", "install", "--quiet", PEERS[name], *_BESIDE.get(name, ())])
        stamp.touch()
    return python


def _install(command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise PeerError(f"{' '.join(command)} failed: {said[-1] if said else 'no message'}") from error
