"""The one family of errors that users meet, and the exit code of each.

SaihError (1)            some points failed, or a stage could not do its work
  Superseded (1)         another job took the points over and goes on with them
  UsageError (2)         the command or the sweep file is wrong; nothing was started
  EnvironmentMissing (3) something the run needs is not on this machine
  DamagedData (4)        a record, result or data file does not verify
  GateFailed (5)         a comparison is below its gate (5 is also a checked report older than its results)
  Interrupted (75)       stopped, and the same command continues
"""


class SaihError(Exception):
    """What was wrong (with the value) and what to do about it."""

    exit_code = 1

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy


class Superseded(SaihError):
    """Somebody else took the points over; what is still measured here counts for nothing."""


class UsageError(SaihError):
    """The command or the sweep file is wrong; nothing was started."""

    exit_code = 2


class EnvironmentMissing(SaihError):
    """Something the run needs is not on this machine."""

    exit_code = 3


class DamagedData(SaihError):
    """A record, result or data file does not verify."""

    exit_code = 4


class GateFailed(SaihError):
    """A comparison is below the ratio that was asked for."""

    exit_code = 5


class Interrupted(SaihError):
    """Stopped before the end; the same command continues."""

    exit_code = 75
