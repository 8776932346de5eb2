"""The run folder of a testbed: what it is, the processes that it started, and who may change it."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tools.edge_testbed_parts.control_groups import Group
from tools.edge_testbed_parts.errors import MISUSED, TestbedError
from tools.edge_testbed_parts.specification import Specification, specification_json, specification_of

VARIABLE = "SAIH_EDGE_TESTBEDS"
"""Names the folder of all run folders in place of the default."""
DESCRIPTION = "testbed.json"
SITE = "site.yaml"
"""A site file for saih."""
VERSION = 1
_UNFIT = re.compile(r"[\s,:;]")
"""Launchers divide what names their remote agent at such letters."""
_MISSING_WORDS = "start it: tools/edge_testbed up FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Testbed:
    """One testbed, up or not, as its folder has it."""

    __test__ = False  # pytest takes names that begin so for tests

    folder: Path
    asked: Specification
    groups: Mapping[str, Group]
    """Of the devices that have limits."""
    is_changing: bool = False
    """Whether a change was begun and not ended: then nobody knows what holds."""

    @property
    def records(self) -> Path:
        """Where processes are written down."""
        return self.folder / "processes"

    @property
    def agent(self) -> Path:
        """The program that runs a command on a host, as launchers call it."""
        return self.folder / "agent"

    @property
    def keepers(self) -> Path:
        """Numbers of the processes that keep the hosts; there once all is made."""
        return self.folder / "keepers.json"

    @property
    def delays(self) -> Path:
        """What the switch is told."""
        return self.folder / "delays.json"

    @property
    def delays_applied(self) -> Path:
        """The number of what the switch was told last."""
        return self.folder / "delays.applied"

    @property
    def log(self) -> Path:
        """What the testbed's own processes say."""
        return self.folder / "log"

    def temporary(self, host: str) -> Path:
        """A host's own place for what programs of it put aside."""
        return self.folder / "hosts" / host


def all_folders() -> Path:
    """The folder of this user's run folders, made where it is not there.

    Raises:
        TestbedError: when it cannot be used.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(os.environ.get(VARIABLE) or Path(cache) / "saih" / "edge-testbed").absolute()
    if _UNFIT.search(str(folder)):
        raise TestbedError(
            f"the folder of testbeds is {str(folder)!r}, which MPI's launcher cannot be told",
            f"name one without blanks and ',:;' in {VARIABLE}.",
            MISUSED,
        )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = folder.stat().st_uid
    except OSError as error:
        raise TestbedError(
            f"{folder} cannot be used: {error.strerror}", f"name another in {VARIABLE}."
        ) from error
    if owner != os.geteuid():
        raise TestbedError(f"{folder} belongs to somebody else", f"name one of your own in {VARIABLE}.")
    return folder


@contextmanager
def only_one() -> Iterator[None]:
    """Keeps a second start, stop or change of this user's testbeds waiting for the first one's end."""
    opened = os.open(all_folders(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def known_testbeds() -> tuple[Testbed, ...]:
    """Every testbed of this user that was started and not removed."""
    folders = sorted(path.parent for path in all_folders().glob(f"*/{DESCRIPTION}"))
    return tuple(open_testbed(folder) for folder in folders)


def open_named(name: str) -> Testbed:
    """The testbed of that name.

    Raises:
        TestbedError: when there is none.
    """
    return open_testbed(all_folders() / name)


def open_testbed(folder: Path) -> Testbed:
    """The testbed of a run folder.

    Raises:
        TestbedError: when there is none, or it cannot be read.
    """
    try:
        document = json.loads((folder / DESCRIPTION).read_text())
        groups = {name: Group(**each) for name, each in document["groups"].items()}
        return Testbed(
            folder=folder,
            asked=specification_of(document["specification"]),
            groups=groups,
            is_changing=document["is_changing"],
        )
    except FileNotFoundError:
        raise TestbedError(f"there is no testbed {folder.name}", _MISSING_WORDS, MISUSED) from None
    except (ValueError, KeyError, TypeError) as error:
        raise TestbedError(
            f"{folder / DESCRIPTION} cannot be read: {error!r}", "remove that folder by hand."
        ) from error


def write_down(testbed: Testbed, told: Mapping[str, Any]) -> None:
    """Writes the description, at once or not at all; ``told`` is what others read in it beside."""
    document = {
        "version": VERSION,
        "specification": specification_json(testbed.asked),
        "groups": {name: asdict(group) for name, group in testbed.groups.items()},
        "is_changing": testbed.is_changing,
        **told,
    }
    write_whole(testbed.folder / DESCRIPTION, json.dumps(document, indent=1) + "\n")


def changing(testbed: Testbed, asked: Specification) -> Testbed:
    """The testbed while what it is changes to ``asked``."""
    return replace(testbed, asked=asked, is_changing=True)


def changed(testbed: Testbed) -> Testbed:
    """The testbed once that is done."""
    return replace(testbed, is_changing=False)


def write_whole(path: Path, text: str) -> None:
    """Replaces a file at once."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def remove_folder(testbed: Testbed) -> None:
    """Removes a run folder; the description last, so that what is cut off can be found again."""
    for path in testbed.folder.iterdir():
        if path.name != DESCRIPTION:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(testbed.folder)
