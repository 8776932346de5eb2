"""Settings of ranks that change how fast they run: SAIH's own, and those that a user chose in their place."""

import os
from collections.abc import Mapping
from pathlib import Path

_KEPT = {"MALLOC_TRIM_THRESHOLD_": str(2**40), "MALLOC_TOP_PAD_": str(64 * 2**20)}
"""Keeps freed memory in the process (glibc; others ignore it)."""
HUGE_PAGES = {
    **_KEPT,
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}
"""Large tensors are mapped anew, in huge pages, so that faults are few and no freed tensor leaves a hole.
Clearing these pages costs steps whose tensors exceed the threshold some time, which one heap would save."""
ONE_HEAP = {**_KEPT, "MALLOC_MMAP_MAX_": "0"}
"""Where no huge pages are: small pages' faults took up to half of a training step on CPUs, so that nothing is
mapped anew. Holes between tensors then take up to as much memory again as the tensors."""
YIELDING = {"OMPI_MCA_mpi_yield_when_idle": "1"}
"""Whoever waits in MPI leaves the core to others (Open MPI; the rest ignore it). Horovod waits in a thread of
its own: on 2 cores it took them from the ranks that worked, and a step of 48 ms lasted 73 ms."""
CHOSEN_VARIABLE = "SAIH_CHOSEN_SETTINGS"
"""Tells ranks, which see all settings alike, the names of those that the user chose."""
NAMES = tuple(dict.fromkeys((*HUGE_PAGES, *ONE_HEAP, *YIELDING)))
_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_FIRST_GLIBC = (2, 35)
"""The first that asks for huge pages."""


def chosen_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that the user chose, whether ranks ask with their variables or what starts them does."""
    names = environ[CHOSEN_VARIABLE].split() if CHOSEN_VARIABLE in environ else NAMES
    return {name: environ[name] for name in NAMES if name in names and name in environ}


def with_settings(environ: Mapping[str, str], *, yields: bool) -> dict[str, str]:
    """``environ`` with SAIH's settings where the user chose none, and a word on which were chosen."""
    own = {**allocator(), **(YIELDING if yields else {})}
    return {**own, **environ, CHOSEN_VARIABLE: " ".join(chosen_settings(environ))}


def allocator(pages: Path = _PAGES) -> dict[str, str]:
    """Settings of the C library's allocator, by what this machine's kernel and library can do.

    Nodes that ranks run on are taken for alike.
    """
    return HUGE_PAGES if _has_huge_pages(pages) and _glibc() >= _FIRST_GLIBC else ONE_HEAP


def _has_huge_pages(pages: Path) -> bool:
    try:
        return "[never]" not in pages.read_text()
    except OSError:
        return False


def _glibc() -> tuple[int, ...]:
    """Version of the C library; nothing where it is another one."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        return ()
    parts = version.split(".")
    return tuple(map(int, parts)) if name == "glibc" and all(part.isdigit() for part in parts) else ()
