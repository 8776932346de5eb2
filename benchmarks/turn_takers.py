"""Processes that compute in turns: contestants of one comparison, each in an environment of its own.

Load and clock frequency strike all of them alike, and none shares an allocator, thread pool or compiler cache
with another. A process says ``ready`` once it is warm, then answers each line with one JSON value.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

READY, ANSWER = "ready", "answer "
_END_LIMIT_S = 20


class TakerError(RuntimeError):
    """A process that has ended, or did not begin; the message says which."""


class TurnTaker:
    """One such process."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(environment)
        )

    def wait_until_ready(self) -> None:
        """Until it is warm.

        Raises:
            TakerError: when it ends before; its own words are on stderr.
        """
        self._heard(READY)

    def turn(self, question: str = "1") -> Any:  # Any: a JSON value
        """What it answers.

        Raises:
            TakerError: when it has ended.
        """
        asks = self._process.stdin
        try:
            if asks:
                asks.write(f"{question}\n")
                asks.flush()
        except OSError as error:
            raise TakerError(f"{self.name} has ended") from error
        return json.loads(self._heard(ANSWER).removeprefix(ANSWER))

    def end(self) -> None:
        """Whatever it does."""
        self._process.kill()
        self._process.communicate(timeout=_END_LIMIT_S)

    def _heard(self, beginning: str) -> str:
        # Libraries print to the standard output too.
        for line in self._process.stdout or ():
            if line.startswith(beginning):
                return line
        raise TakerError(f"{self.name} has ended")


@contextmanager
def all_ready(takers: Iterable[TurnTaker]) -> Iterator[list[TurnTaker]]:
    """The processes once all are warm, one after the other; ended when the context is left."""
    started: list[TurnTaker] = []
    try:
        for taker in takers:
            started.append(taker)
            taker.wait_until_ready()
        yield started
    finally:
        for taker in started:
            taker.end()


def answer_turns(run: Any) -> None:  # Any: takes the line's number, gives a JSON value
    """The other side: say that this process is warm, then answer until nobody asks any more."""
    print(READY, flush=True)
    for line in sys.stdin:
        print(f"{ANSWER}{json.dumps(run(int(line)))}", flush=True)
