"""Many like tasks on all cores of this process, for analyses of thousands of records."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from typing import Any, TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

FEWEST = 500
"""Points or lines for which other processes are begun: these cost as much as a hundred or so."""
_PARTS_EACH = 4
"""Parts that a process gets one after the other, so that all end at about the same time."""

_forked: tuple[Callable[[Any], Any], Sequence[Any]] | None = None
"""The function and items as processes find them that are forked off here: neither is sent to them."""


def side_by_side(
    function: Callable[[Item], Found], items: Sequence[Item], /, in_one: int = 1
) -> Iterable[Found]:
    """Like ``map``, in forked processes where there are many items and more than one core.

    An item may stand for ``in_one`` points or lines, of which all together decide what is many. Only results
    are sent, so these must be what pickle takes. An error comes as it would from ``map``.
    """
    num_processes = len(os.sched_getaffinity(0))
    if num_processes == 1 or len(items) * in_one < FEWEST:
        return map(function, items)
    return _in_processes(function, items, num_processes)


def _in_processes(
    function: Callable[[Item], Found], items: Sequence[Item], num_processes: int
) -> Iterator[Found]:
    global _forked  # noqa: PLW0603 - the way to processes that share all memory at their begin
    length = -(-len(items) // (_PARTS_EACH * num_processes))
    parts = [range(begin, min(begin + length, len(items))) for begin in range(0, len(items), length)]
    _forked = function, items
    gc.freeze()  # a collection in a process would copy the pages of all that lives
    try:
        with ProcessPoolExecutor(num_processes, mp_context=get_context("fork")) as pool:
            yield from chain.from_iterable(pool.map(_found, parts))
    finally:
        _forked = None
        gc.unfreeze()


def _found(part: range) -> list[Any]:  # Any: what the function gives
    if _forked is None:
        raise RuntimeError("a process was not forked off for these items")
    function, items = _forked
    return [function(items[index]) for index in part]
