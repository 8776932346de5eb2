"""The command line inside the process of a test, and what a command left behind."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from saih.cli import run


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command left behind."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout."""
        found: dict[str, Any] = json.loads(self.out)
        return found


class Saih:
    """Runs a command line; what was printed before it does not count."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        self.capsys.readouterr()
        exit_code = run(arguments)
        out, err = self.capsys.readouterr()
        return Said(exit_code=exit_code, out=out, err=err)
