"""Processes of this machine, by the session and the parent that they have."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


def session_members(session: int) -> tuple[int, ...]:
    """Living processes of a session (none are found where there is no /proc)."""
    return tuple(process.pid for process in _processes() if process.session == session)


def has_children(parent: int) -> bool:
    """Whether a process has living children; taken for granted where there is no /proc."""
    processes = _processes()
    return not processes or any(process.parent == parent for process in processes)


class _Process(NamedTuple):
    pid: int
    parent: int
    session: int


def _processes() -> list[_Process]:
    """Every living process, zombies not counted."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError):
            # proc(5): the name in brackets may hold anything; the other fields follow its last bracket.
            state, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state not in "ZX":
                found.append(_Process(int(path.parent.name), int(parent), int(session)))
    return found
