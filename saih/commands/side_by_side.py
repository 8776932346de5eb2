"""Many like tasks on all cores of this process, for analyses of thousands of records."""

import gc
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from saih.harness.lifeline import die_with_parent

Item = TypeVar("Item")
Found = TypeVar("Found")

FEWEST = 500
"""Points for which other processes are begun: these cost as much as a hundred or so."""
MOST_PROCESSES = 16
"""Of which each copies what it touches of the records."""
_MISSING: Any = object()


def side_by_side(
    function: Callable[[Item], Found], items: Sequence[Item], /, in_one: int = 1
) -> Iterable[Found]:
    """Like ``map``, with forked processes where there are many items and more than one core.

    An item may cost as much as ``in_one`` points; all points together decide what is many. Only results
    are sent, as multiprocessing sends. What a process does not give, because an item failed, or it
    was killed or could not be begun, is done here: errors are those of ``map``.
    """
    num_processes = min(len(os.sched_getaffinity(0)), len(items), MOST_PROCESSES)
    if num_processes < 2 or len(items) * in_one < FEWEST:
        return map(function, items)
    found: list[Any] = [_MISSING] * len(items)
    gc.freeze()  # a collection in a process would copy the pages of all that lives
    others: list[_Other] = []
    try:
        for first in range(1, num_processes):
            others += _begun(function, items, slice(first, None, num_processes))
        own = slice(0, None, num_processes)
        found[own] = [function(item) for item in items[own]]
        for other in others:
            found[other.share] = other.results(len(found[other.share]))
    finally:
        for other in others:
            other.end()
        gc.unfreeze()
    return [function(item) if one is _MISSING else one for item, one in zip(items, found, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """A forked process at work on its share of the items."""

    share: slice
    process: int
    end_to_read: Connection

    def results(self, count: int) -> Sequence[Any]:
        """What it found, once it is done; marks of what is missing where it gives nothing."""
        with suppress(EOFError, OSError):  # it died, perhaps in the middle of telling
            results: Sequence[Any] = self.end_to_read.recv()
            return results
        return [_MISSING] * count

    def end(self) -> None:
        """Whatever it does; also after it has told all."""
        self.end_to_read.close()
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _begun(function: Callable[[Any], Any], items: Sequence[Any], share: slice) -> list[_Other]:
    """The process for a share; none where the system gives none."""
    end_to_read, end_to_write = Pipe(duplex=False)
    with end_to_write:
        try:
            process = os.fork()
        except OSError:
            end_to_read.close()
            return []
        if process == 0:
            _work(function, items[share], end_to_write)
    return [_Other(share=share, process=process, end_to_read=end_to_read)]


def _work(function: Callable[[Any], Any], items: Sequence[Any], end_to_write: Connection) -> None:
    """Find all results and tell them; never returns. Without a word after an error: it comes again there."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent()
        end_to_write.send([function(item) for item in items])
    finally:
        os._exit(0)
