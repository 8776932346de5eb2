"""Settings of ranks that change how fast they run: SAIH's own, and those that a user chose in their place."""

from collections.abc import Mapping

ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
"""Keeps freed memory in the process (glibc; others ignore it). By default every large tensor is mapped anew,
and the page faults took up to half of a training step on CPUs."""
YIELDING = {"OMPI_MCA_mpi_yield_when_idle": "1"}
"""Whoever waits in MPI leaves the core to others (Open MPI; the rest ignore it). Horovod waits in a thread of
its own: on 2 cores it took them from the ranks that worked, and a step of 48 ms lasted 73 ms."""
CHOSEN_VARIABLE = "SAIH_CHOSEN_SETTINGS"
"""Tells ranks, which see all settings alike, the names of those that the user chose."""
_NAMES = (*ALLOCATOR, *YIELDING)


def chosen_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the user chose, whether ranks ask with their variables or what starts them does."""
    names = environ[CHOSEN_VARIABLE].split() if CHOSEN_VARIABLE in environ else _NAMES
    return {name: environ[name] for name in _NAMES if name in names and name in environ}


def with_settings(environ: Mapping[str, str], *, yields: bool) -> dict[str, str]:
    """``environ`` with SAIH's settings where the user chose none, and a word on which were chosen."""
    own = {**ALLOCATOR, **(YIELDING if yields else {})}
    return {**own, **environ, CHOSEN_VARIABLE: " ".join(chosen_settings(environ))}
