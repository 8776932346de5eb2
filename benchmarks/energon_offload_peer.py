"""accelerate with layers on the disk, as a process that waits for its turn.

It runs in an environment of its own below the user's cache, made once.
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from benchmarks.energon_peers import PeerError, accelerate_python

_ROOT = Path(__file__).parents[1]
_END_LIMIT_S = 20


class Offloader:
    """A model in accelerate; ``turn`` is a forward pass."""

    def __init__(self, asks: IO[str], answers: IO[str]) -> None:
        self._asks, self._answers = asks, answers
        self._line("ready")

    def turn(self, mode: str, bytes_per_s: float) -> tuple[float, list[float]]:
        """Seconds of a pass and the logits of the last token, with weights coming at most that fast.

        Raises:
            PeerError: when it has ended.
        """
        try:
            self._asks.write(f"{mode} {bytes_per_s}\n")
            self._asks.flush()
        except OSError as error:
            raise PeerError("accelerate has ended") from error
        seconds, logits = json.loads(self._line("turn "))
        return seconds, logits

    def _line(self, begin: str) -> str:
        # Libraries print to the standard output too: an answer is the line that says so.
        for line in self._answers:
            if line.startswith(begin):
                return line.removeprefix(begin)
        raise PeerError("accelerate has ended")


@contextlib.contextmanager
def start_offloader(
    folder: Path, sizes: Mapping[str, int], tokens: Sequence[int], parked: Sequence[int]
) -> Iterator[Offloader]:
    """A running accelerate with a checkpoint (made in an empty folder), ended when the context is left.

    Raises:
        PeerError: when it cannot be had here.
    """
    words = [str(folder), *(json.dumps(word) for word in (dict(sizes), list(tokens), list(parked)))]
    process = subprocess.Popen(
        [str(accelerate_python()), "-m", "benchmarks.energon_offload_worker", *words],
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
