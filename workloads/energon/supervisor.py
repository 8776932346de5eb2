"""Watches the processes of an engine: what they say, which one died and how, and that none is left."""

import os
import selectors
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from workloads.energon.exit_status import in_words, suspicion
from workloads.energon.launching import StartedWorker

_TAIL_BYTES = 4096
_REAP_S = 5.0
"""A killed process is gone within milliseconds, unless the kernel writes its memory to a disk."""


@dataclass(slots=True, kw_only=True)
class _Watched:
    """One process, the end of what it said, and why it seems dead."""

    rank: int
    worker: StartedWorker
    tail: bytes = b""
    signs: list[str] = field(default_factory=list)


class Supervisor:
    """Hears the processes' output by a selector whose keys' data are called with the ready events.

    ``alarm`` is called at each sign that a process is dead: its output or its connection ended.
    """

    def __init__(
        self,
        workers: Sequence[StartedWorker],
        selector: selectors.BaseSelector,
        alarm: Callable[[], None],
    ) -> None:
        self._selector = selector
        self._alarm = alarm
        self._watched = [self._watch(rank, worker) for rank, worker in enumerate(workers)]
        self._noticed: list[_Watched] = []
        """Those that seem dead, as it was noticed."""

    @property
    def are_all_silent(self) -> bool:
        """Whether every process has ended its output: it ended, or is about to."""
        return all(watched.worker.output.closed for watched in self._watched)

    def note(self, rank: int, sign: str) -> None:
        """Somebody saw a sign that a process is dead."""
        watched = self._watched[rank]
        watched.signs.append(sign)
        self._noticed.append(watched)
        self._alarm()

    def obituary(self) -> tuple[str, str]:
        """Which process died first and how, and its last words, where it had any.

        The death of one ends others that were talking to it: what is killed from outside comes first, what
        says that it lost another comes last, and among equals the one that was noticed first.
        """
        dead = min(self._noticed, key=lambda watched: suspicion(watched.worker.exit_status))
        status = dead.worker.exit_status
        how = f"{dead.signs[0]} and was ended" if status is None else in_words(status)
        ended = f"rank {dead.rank} of {len(self._watched)} (process {dead.worker.process.pid}) {how}"
        words = dead.tail.decode(errors="replace").strip()
        return f"{ended}." if words else f"{ended} without a word.", words

    def end(self, patience_s: float) -> None:
        """Wait for the processes, kill those that do not end in time, and leave none behind."""
        deadline_s = time.monotonic() + patience_s
        for watched in self._watched:
            if not watched.worker.has_ended(max(0.0, deadline_s - time.monotonic())):
                watched.worker.process.kill()
        for watched in self._watched:
            watched.worker.has_ended(_REAP_S)
            self._close(watched)

    def _watch(self, rank: int, worker: StartedWorker) -> _Watched:
        watched = _Watched(rank=rank, worker=worker)
        os.set_blocking(worker.output.fileno(), False)
        self._selector.register(worker.output, selectors.EVENT_READ, lambda _: self._read(watched))
        return watched

    def _read(self, watched: _Watched) -> None:
        try:
            said = os.read(watched.worker.output.fileno(), 1 << 16)
        except BlockingIOError:
            return
        watched.tail = (watched.tail + said)[-_TAIL_BYTES:]
        if not said:
            self._close(watched)
            self.note(watched.rank, "closed its output")

    def _close(self, watched: _Watched) -> None:
        if not watched.worker.output.closed:
            self._selector.unregister(watched.worker.output)
            watched.worker.output.close()
