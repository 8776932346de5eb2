"""Finds the Chromium of this machine, or installs it: the command line of tools/browser."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"
REMEDY = "install a Chromium (Debian, as root: tools/browser install), or name one in SAIH_BROWSER."
EXIT_MISSING = 3


def find(environment: Mapping[str, str]) -> Path | None:
    """The program that ``SAIH_BROWSER`` names, else the first Chromium on the path; None without one."""
    named = environment.get("SAIH_BROWSER")
    for name in (named,) if named else PROGRAMS:
        found = shutil.which(name, path=environment.get("PATH"))
        if found:
            return Path(found)
    return None


def main(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="tools/browser", description=__doc__)
    parser.add_argument(
        "task", choices=("install", "path"), help="install what is missing, or print where it is"
    )
    task = parser.parse_args(arguments).task
    found = find(os.environ)
    if found is None and task == "install":
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return _missing("installing needs root and apt-get")
        _apt_get("update", "-q")
        _apt_get("install", "-q", "-y", "--no-install-recommends", PACKAGE)
        found = find(os.environ)
    if found is None:
        return _missing("this machine has no Chromium")
    sys.stdout.write(f"{found}\n")
    return 0


def _missing(problem: str) -> int:
    sys.stderr.write(f"browser: {problem}\n  -> {REMEDY}\n")
    return EXIT_MISSING


def _apt_get(*words: str) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=quiet, check=False
    )
    if done.returncode:
        sys.stderr.write("\n".join((done.stdout + done.stderr).splitlines()[-10:]) + "\n")
