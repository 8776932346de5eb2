"""accelerate with layers on the disk, as a process that waits for its turn.

It runs in the environment of the benchmark where accelerate and transformers are installed there, else in
one of its own below the user's cache, made once.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

ACCELERATE, TRANSFORMERS = "accelerate==1.15.0", "transformers==5.23.0"
_ROOT = Path(__file__).parents[1]
_INSTALL_LIMIT_S, _END_LIMIT_S = 1800, 20


class OffloadError(RuntimeError):
    """accelerate cannot be had here, or has ended; the message says why."""


class Offloader:
    """A model in accelerate; ``turn`` is a forward pass."""

    def __init__(self, asks: IO[str], answers: IO[str]) -> None:
        self._asks, self._answers = asks, answers
        self._line("ready")

    def turn(self, mode: str, bytes_per_s: float) -> tuple[float, list[float]]:
        """Seconds of a pass and the logits of the last token, with weights coming at most that fast.

        Raises:
            OffloadError: when it has ended.
        """
        try:
            self._asks.write(f"{mode} {bytes_per_s}\n")
            self._asks.flush()
        except OSError as error:
            raise OffloadError("accelerate has ended") from error
        seconds, logits = json.loads(self._line("turn "))
        return seconds, logits

    def _line(self, begin: str) -> str:
        # Libraries print to the standard output too: an answer is the line that says so.
        for line in self._answers:
            if line.startswith(begin):
                return line.removeprefix(begin)
        raise OffloadError("accelerate has ended")


@contextlib.contextmanager
def start_offloader(
    folder: Path, sizes: Mapping[str, int], tokens: Sequence[int], parked: Sequence[int]
) -> Iterator[Offloader]:
    """A running accelerate with a checkpoint (made in an empty folder), ended when the context is left.

    Raises:
        OffloadError: when it cannot be had here.
    """
    words = [str(folder), *(json.dumps(word) for word in (dict(sizes), list(tokens), list(parked)))]
    process = subprocess.Popen(
        [str(_python()), "-m", "benchmarks.energon_offload_worker", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None  # noqa: S101  # asked for above
    assert process.stdout is not None  # noqa: S101  # as above
    try:
        yield Offloader(process.stdin, process.stdout)
    finally:
        process.kill()
        process.communicate(timeout=_END_LIMIT_S)


def _python() -> Path:
    if all(importlib.util.find_spec(name) for name in ("accelerate", "transformers")):
        return Path(sys.executable)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "saih" / "peers" / "accelerate"
    python, stamp = folder / "bin" / "python", folder / f"{ACCELERATE}-{TRANSFORMERS}"
    if not stamp.is_file():
        print(f"making an environment for {ACCELERATE} in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(_ROOT / "constraints.txt")]
        processors = ["--retries", "1", "--extra-index-url", "https://download.pytorch.org/whl/cpu"]
        _install([*pip, *processors, "torch", "numpy"])
        _install([*pip, ACCELERATE, TRANSFORMERS])
        stamp.touch()
    return python


def _install(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise OffloadError(f"{' '.join(command)} failed: {said[-1] if said else 'no message'}") from error
