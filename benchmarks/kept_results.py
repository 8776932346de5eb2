"""Results of long benchmarks, kept one by one: one that was ended goes on where it was, on several cores."""

import json
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Generic, TypeVar

from saih.harness.lifeline import die_with_parent

Name = TypeVar("Name", str, int)
_ROOT = Path(__file__).resolve().parents[1]
_SOURCES = ("augment", "workloads", "benchmarks", "tools")


class NotKeptError(Exception):
    """Results cannot be kept, or what is kept cannot be read."""


class Kept(Generic[Name]):
    """The results ``of`` something in a file of lines; those of something else in it are not taken."""

    def __init__(self, path: Path, of: str) -> None:
        self._path, self._of = path, of

    def known(self) -> dict[Name, Any]:
        """What was found before, by name; a line that a kill tore is found again.

        Raises:
            NotKeptError: for a file of something else.
        """
        text = self._path.read_text(errors="replace") if self._path.exists() else ""
        entries = [_entry(line) for line in text.splitlines()]
        if len(entries) > 1 and not any(entries):
            raise NotKeptError(f"{self._path} holds no results; name another file.")
        mine = (entry for entry in entries if entry.get("of") == self._of)
        return {entry["name"]: entry["result"] for entry in mine}

    def add(self, name: Name, result: Any) -> None:
        """Write one result at once, on a line of its own also after a torn one."""
        before = self._path.read_bytes()[-1:] if self._path.exists() else b""
        line = json.dumps({"of": self._of, "name": name, "result": result})
        with self._path.open("a") as file:
            file.write(line + "\n" if before in (b"", b"\n") else f"\n{line}\n")
            file.flush()
            os.fsync(file.fileno())


def each_result(
    names: Sequence[Name], compute: Callable[[Name], Any], kept: Kept[Name] | None, processes: int = 1
) -> Iterator[tuple[Name, Any]]:
    """Every name with its result, which JSON can hold: those kept first, then each as soon as it is known.

    ``compute`` must be known by its module's name where more processes than one work.
    """
    known = kept.known() if kept else {}
    yield from ((name, known[name]) for name in names if name in known)
    missing = [name for name in names if name not in known]
    for name, result in _computed(missing, compute, processes):
        if kept:
            kept.add(name, result)
        yield name, result


def of_sources(settings: str, folders: Sequence[str] = _SOURCES) -> str:
    """What results with these settings are of: the sources in these folders too, as git names their trees.

    Raises:
        NotKeptError: outside a checkout, or with changes that were not committed.
    """
    changed = _git("status", "--porcelain", "--", *folders)
    if changed:
        raise NotKeptError(
            f"commit what was changed before results are kept: {changed.splitlines()[0].strip()}"
        )
    trees = _git("rev-parse", *(f"HEAD:{folder}" for folder in folders)).split()
    return f"{settings}; {' '.join(trees)}"


def _entry(line: str) -> dict[str, Any]:
    """One result, or nothing where the line is none."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and {"of", "name", "result"} <= found.keys() else {}


def _computed(
    names: Sequence[Name], compute: Callable[[Name], Any], processes: int
) -> Iterator[tuple[Name, Any]]:
    if processes == 1:
        yield from ((name, compute(name)) for name in names)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_begin_worker) as pool:
        begun = {pool.submit(compute, name): name for name in names}
        try:
            yield from ((begun[done], done.result()) for done in as_completed(begun))
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """It ends with the process that asks, and at once by Ctrl-C, not after what it was given to do."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotKeptError(f"results are kept in a checkout only: {done.stderr.strip()}")
    return done.stdout
