"""Asking the machine: short commands and small files, where no answer is an answer too."""

import subprocess
from collections.abc import Sequence
from pathlib import Path


def answer_of(command: Sequence[str], *, limit_s: float, folder: Path | None = None) -> str | None:
    """What ``command`` prints; None where it is absent, fails, or takes longer than ``limit_s``."""
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def text_of(path: Path) -> str | None:
    """The stripped text of a small file; None where it cannot be read or is empty."""
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None
