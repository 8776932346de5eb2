"""The command line as a user calls it, in folders of its own, and how long it takes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROGRAM = (sys.executable, "-c", "from saih.cli import main; main()")


class CommandError(RuntimeError):
    """A command that failed; the message is its own last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended well."""

    duration_s: float
    said: str
    """Its standard output."""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document that it printed."""
        found: dict[str, Any] = json.loads(self.said)
        return found


def saih(folder: Path, words: Sequence[str], environment: Mapping[str, str] = os.environ) -> Done:
    """``saih WORDS`` in ``folder``, where its results, reports and data go; it talks on stderr.

    Raises:
        CommandError: when it ends with another status than 0.
    """
    begin_s = time.perf_counter()
    done = subprocess.run(
        [*_PROGRAM, *words],
        cwd=folder,
        env=_with_this_code(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines()
        raise CommandError(
            f"saih {' '.join(words)} ended with {done.returncode}: {said[-1] if said else 'see above'}"
        )
    return Done(duration_s=time.perf_counter() - begin_s, said=done.stdout)


def _with_this_code(environment: Mapping[str, str]) -> dict[str, str]:
    """The folder of this checkout first: commands run elsewhere, and ranks inherit it."""
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [environment.get("PYTHONPATH", "")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}
