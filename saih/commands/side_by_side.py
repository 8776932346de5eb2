"""Many like tasks on all cores of this process, for analyses of thousands of records."""

import gc
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from saih.harness.lifeline import die_with_parent

Item = TypeVar("Item")
Found = TypeVar("Found")

FEWEST = 500
"""Points for which other processes are begun: these cost as much as a hundred or so."""
MOST_PROCESSES = 16
"""Of which each copies what it touches of the records."""
SHARES_OF_PROCESS = 16
"""So that none waits long for the last one; numbers of all of them fit into a pipe at once."""
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
    num_shares = min(len(items), SHARES_OF_PROCESS * num_processes)
    shares = [slice(first, None, num_shares) for first in range(num_shares)]
    found: list[Any] = [_MISSING] * len(items)
    queue, others = _queue(num_shares), []
    gc.freeze()  # a collection in a process would copy the pages of all that lives
    try:
        for _ in range(1, num_processes):
            others += _begun(function, items, shares, queue)
        for number in _taken(queue):
            found[shares[number]] = [function(item) for item in items[shares[number]]]
        for other in others:
            for number, results in other.results():
                found[shares[number]] = results
    finally:
        for other in others:
            other.end()
        os.close(queue)
        gc.unfreeze()
    return [function(item) if one is _MISSING else one for item, one in zip(items, found, strict=True)]


def _queue(num_shares: int) -> int:
    """A pipe of the numbers of all shares, two bytes each, which ends behind them."""
    end_to_read, end_to_write = os.pipe()
    os.write(end_to_write, b"".join(number.to_bytes(2) for number in range(num_shares)))
    os.close(end_to_write)
    return end_to_read


def _taken(queue: int) -> Iterator[int]:
    """Shares that nobody else took: who is faster, or has the cheaper ones, does more of them."""
    while number := os.read(queue, 2):
        yield int.from_bytes(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """A forked process at work on its share of the items."""

    process: int
    end_to_read: Connection

    def results(self) -> Iterator[tuple[int, list[Any]]]:
        """Numbers of shares and what it found for their items; fewer where it died, perhaps while telling."""
        with suppress(EOFError, OSError):
            while True:
                yield self.end_to_read.recv()

    def end(self) -> None:
        """Whatever it does; also after it has told all."""
        self.end_to_read.close()
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _begun(
    function: Callable[[Any], Any], items: Sequence[Any], shares: Sequence[slice], queue: int
) -> list[_Other]:
    """A process that takes shares; none where the system gives none."""
    end_to_read, end_to_write = Pipe(duplex=False)
    with end_to_write:
        try:
            process = os.fork()
        except OSError:
            end_to_read.close()
            return []
        if process == 0:
            _work(function, items, shares, queue, end_to_write)
    return [_Other(process=process, end_to_read=end_to_read)]


def _work(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    shares: Sequence[slice],
    queue: int,
    end_to_write: Connection,
) -> None:
    """Take shares and tell what was found; never returns. Silent after an error: it comes again there.

    Results are made ready for sending one share after the other, but sent when all are taken: before, nobody
    would listen.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent()
        told = [
            ForkingPickler.dumps((number, [function(item) for item in items[shares[number]]]))
            for number in _taken(queue)
        ]
        for one in told:
            end_to_write.send_bytes(one)
    finally:
        os._exit(0)
