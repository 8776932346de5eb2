"""A process that may take little more memory than it has."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.anonymous_memory import status_bytes


@contextmanager
def little_memory(more_bytes: int) -> Iterator[None]:
    """Inside, this process gets no more than that of private writable memory (Linux counts mappings, too)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (status_bytes("VmData") + more_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
