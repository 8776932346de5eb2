"""The state that Python keeps for a thread of C++: made once, not at every call of a callback."""

import ctypes
import threading


class _Kept(threading.local):
    """Lives and dies with the state of the thread that looks."""

    is_kept = False


_kept = _Kept()


def keep_thread_state() -> None:
    """Let the calling thread keep its Python state when it leaves Python.

    A thread that Python did not start gets a new state (16 KiB of fresh pages) each time that it calls into
    Python, and gives it back on leaving: some 60 to 100 us a call. One reference that is never given back
    keeps it (C API, "Non-Python created threads"); the interpreter clears what is left at its end.
    """
    if not _kept.is_kept:
        _kept.is_kept = True
        ctypes.pythonapi.PyGILState_Ensure()
