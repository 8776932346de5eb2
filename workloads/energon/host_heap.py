"""Memory that was freed, and that the C library keeps for itself."""

import ctypes


def return_freed_memory() -> None:
    """Let the C library return what was freed to the system.

    glibc keeps up to 64 MB of it, twice the largest block that it once mapped (mallopt(3), M_TRIM_THRESHOLD):
    after loading a layer weight by weight, more than a layer. Other C libraries do nothing here.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
