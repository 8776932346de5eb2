"""One call of a scheduler's command: a time limit, a clean environment, and never outliving this process."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import EnvironmentMissing, SaihError
from saih.launch.site_environment import scheduler_environment

CALL_LIMIT_S = 45.0
_KILLED = range(129, 193)
"""Shells add the number of the signal to 128; subprocess gives that number below zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str

    @property
    def is_refusal(self) -> bool:
        """Whether the command said no; one that was killed, or said nothing, may have done its work."""
        was_killed = self.status < 0 or self.status in _KILLED
        return self.status != 0 and not was_killed and bool(self.err.strip() or self.out.strip())


class SchedulerSilentError(SaihError):
    """The scheduler did not answer, or asked to come back later; what it did meanwhile is not known."""

    exit_code = 75


def call(command: Sequence[str], limit_s: float = CALL_LIMIT_S, source: Path | None = None) -> Answer:
    """Run a command, with ``source`` as its input.

    Raises:
        EnvironmentMissing: when there is no such command.
        SchedulerSilentError: when it takes longer than ``limit_s``.
    """
    environment = scheduler_environment(os.environ)
    require_command(command[0])
    # A command that outlived a killed saih could submit a job after the next saih looked for it.
    tether = [sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGKILL)), str(os.getpid())]
    try:
        with Path(source or os.devnull).open("rb") as stdin:
            done = subprocess.run(
                [*tether, *command],
                env=environment,
                stdin=stdin,
                capture_output=True,
                timeout=limit_s,
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise silence(command[0], f"nothing for {limit_s:g} s") from error
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Answer(status=done.returncode, out=out, err=err)


def require_command(name: str) -> None:
    """Refuse to go on without a command of the scheduler.

    Raises:
        EnvironmentMissing: when there is no such command.
    """
    if shutil.which(name) is None:
        raise EnvironmentMissing(
            f"there is no command `{name}` on this machine.",
            "run this on a login node of the system, or name another `scheduler` in the site file.",
        )


def silence(command: str, said: str) -> SchedulerSilentError:
    """The error for a scheduler that does not answer."""
    return SchedulerSilentError(
        f"the scheduler does not answer: `{command}` said {said!r}.",
        "nothing is lost: run the same command again when it is back.",
    )


def last_line(text: str) -> str:
    """The last thing that was said, without the program's name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"^[\w-]+: (error: )?", "", lines[-1]).rstrip(".") if lines else "nothing"
