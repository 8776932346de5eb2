"""The error that users of a testbed meet."""

MISSING = 3
"""Exit code where the machine lacks something."""
MISUSED = 2
"""Exit code where the command or the file is wrong; nothing was made."""


class TestbedError(Exception):
    """What was wrong (with the value) and what to do about it."""

    __test__ = False  # pytest takes names that begin so for tests

    def __init__(self, problem: str, remedy: str, exit_code: int = 1) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.exit_code = exit_code
