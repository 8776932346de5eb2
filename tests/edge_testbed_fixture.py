"""Testbeds for tests: the real tool, in a folder of the test's own; all are removed after each test."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "edge_testbed"
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Testbeds:
    """The tool on testbeds that no other test sees."""

    __test__ = False

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of the tool and of what uses its testbeds."""
        return {**os.environ, "SAIH_EDGE_TESTBEDS": str(self.folder)}

    def file(self, text: str) -> Path:
        """A file of this text."""
        path = self.folder.parent / f"file-{len(list(self.folder.parent.glob('file-*')))}.yaml"
        path.write_text(text)
        return path

    def attempt(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """A command run to its end, whatever that is."""
        return subprocess.run(
            [sys.executable, TOOL, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def call(self, *words: str | Path) -> str:
        """Output of a command that ends with 0."""
        done = self.attempt(*words)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def status(self, name: str) -> Any:
        """What is known of a testbed."""
        (found,) = json.loads(self.attempt("status", name, "--json").stdout)
        return found


@pytest.fixture
def testbeds(tmp_path: Path) -> Iterator[Testbeds]:
    """The tool, and the promise that nothing is left of what it makes."""
    # Sockets and launchers are told paths of this folder; pytest's own are long.
    found = Testbeds(folder=tmp_path / "beds")
    yield found
    found.call("down")
