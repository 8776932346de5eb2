"""Work that threads do ahead of its reader, in order, never more of it than fits."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Done = TypeVar("Done")


def done_ahead(function: Callable[[Item], Done], items: Iterable[Item], num_threads: int) -> Iterator[Done]:
    """What ``function`` gives for each item, in their order; at most ``num_threads`` + 1 are under way.

    Items are taken by the caller's thread. What ``function`` raises is raised when its turn comes; what has
    not begun by then never does.
    """
    waiting: deque[Future[Done]] = deque()
    with ThreadPoolExecutor(num_threads) as threads:
        try:
            for item in items:
                waiting.append(threads.submit(function, item))
                if len(waiting) > num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
