"""Notices when an engine finishes nothing any more, and finds out which rank holds up the others."""

import math
from collections.abc import Callable
from functools import partial

from workloads.energon.errors import EngineDead
from workloads.energon.whereabouts import Doing, Whereabouts

_CALL_S = 5.0
"""What ranks get to say what they do: a thread of its own answers in each, whatever the others wait for."""


class RollCall:
    """Asks all ranks what they do, once nothing was finished for ``limit_s`` though something was to be.

    ``ask`` sends them the question. Only one thread may use it.
    """

    def __init__(self, limit_s: float, num_ranks: int, ask: Callable[[], None]) -> None:
        self._limit_s = limit_s
        self._num_ranks = num_ranks
        self._ask = ask
        self._num_ended = 0
        self._begun_s = self._asked_s = math.inf
        self._found: dict[int, Whereabouts] = {}

    @property
    def deadline_s(self) -> float:
        """When ``verdict`` must be asked again."""
        return self._asked_s + _CALL_S if self._asked_s < math.inf else self._begun_s + self._limit_s

    def hear(self, rank: int, found: Whereabouts) -> None:
        """What a rank says that it does."""
        self._found[rank] = found

    def verdict(self, now_s: float, *, is_busy: bool, num_ended: int) -> Callable[[], EngineDead] | None:
        """The error that names who holds up the others; None as long as nobody seems to.

        ``is_busy``: requests are on the ranks; ``num_ended``: how many have ended since the launch.
        """
        if not is_busy or num_ended != self._num_ended or self._begun_s == math.inf:
            self._num_ended = num_ended
            self._begun_s, self._asked_s = now_s if is_busy else math.inf, math.inf
            return None
        if self._asked_s == math.inf:
            if now_s >= self._begun_s + self._limit_s:
                self._asked_s, self._found = now_s, {}
                self._ask()
            return None
        if len(self._found) < self._num_ranks and now_s < self._asked_s + _CALL_S:
            return None
        return partial(EngineDead, *self._told())

    def _told(self) -> tuple[str, str]:
        """Who holds up the others, and in which calls they are."""
        silent = [rank for rank in range(self._num_ranks) if rank not in self._found]
        at_work = [rank for rank, found in sorted(self._found.items()) if found.doing is Doing.WORK]
        if silent:
            who = f"{_named(silent)} of {self._num_ranks} did not answer"
        elif at_work:
            who = f"{_named(at_work)} of {self._num_ranks} did not come to an end"
        else:
            who = f"all {self._num_ranks} ranks wait for each other"
        stacks = [f"rank {rank}:\n{found.stack}" for rank, found in sorted(self._found.items())]
        told = f"no request was finished within {self._limit_s:g} s (request_limit_s): {who}."
        return told, "\n".join(stacks)


def _named(ranks: list[int]) -> str:
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}"
