"""Devices that are real machines: commands go there by ssh, which must not ask for anything."""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tools.edge_testbed_parts.errors import MISSING, TestbedError
from tools.edge_testbed_parts.specification import Device, Specification

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10")
_PATIENCE_S = 30.0
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SHELL_SIGNAL = 128


def require_reachable(asked: Specification) -> None:
    """Refuse a testbed of which a device cannot be reached, or has another processor or Python.

    Raises:
        TestbedError: naming each device and what ssh said.
    """
    problems, told = [], {}
    for device in asked.devices:
        try:
            done = subprocess.run(
                [*_SSH, device.host, "uname -m && python3 -c 'import sys; print(*sys.version_info[:2])'"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            problems.append(f"{device.name} ({device.host}): {error}")
            continue
        if done.returncode:
            problems.append(f"{device.name} ({device.host}): {done.stderr.strip() or done.returncode}")
        told[device.name] = " ".join(done.stdout.split())
    if problems:
        raise TestbedError(
            f"devices cannot be reached: {'; '.join(problems)}",
            "see to it that 'ssh HOST true' works without a password.",
            MISSING,
        )
    if len(versions := {words.split(" ", 1)[-1] for words in told.values()}) > 1:
        raise TestbedError(
            f"devices have different versions of Python: {', '.join(sorted(versions))}",
            "install one version on all.",
            MISSING,
        )


def remote_words(device: Device, command: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """The words that run a command on a real machine, in the folder of the same name where it has one."""
    return [*_SSH, device.host, _line(shlex.join(command), variables)]


def become_remote(device: Device, line: str, variables: Mapping[str, str]) -> NoReturn:
    """Becomes ssh to a real machine, with a line for its shell."""
    os.execvp(_SSH[0], [*_SSH, device.host, f"{_exports(variables)} {line}"])  # noqa: S606 - no shell here


def run_words(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a command here, passes signals on, and gives its exit status as a shell does."""
    process = subprocess.Popen(words, env=dict(environment))

    def pass_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    code = process.wait()
    return code if code >= 0 else _SHELL_SIGNAL - code


def _line(command: str, variables: Mapping[str, str]) -> str:
    folder = shlex.quote(str(Path.cwd()))
    return f"cd {folder} 2>/dev/null; {_exports(variables)} exec {command}"


def _exports(variables: Mapping[str, str]) -> str:
    return " ".join(f"export {name}={shlex.quote(value)};" for name, value in variables.items())
