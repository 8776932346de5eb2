"""A limit on the memory that a library may take while it reads what nobody vouches for."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PAGES = Path("/proc/self/statm")


@contextmanager
def memory_limit(num_bytes: int) -> Iterator[None]:
    """No more address space than there is now and so much more, for all threads of this process.

    What goes beyond fails in the words of whoever asked for it. Without effect where the system does not say
    how much a process has (``/proc``).
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    soft, hard = before
    with suppress(OSError):
        has_bytes = int(_PAGES.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        most = has_bytes + num_bytes
        soft = most if soft == resource.RLIM_INFINITY else min(soft, most)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
