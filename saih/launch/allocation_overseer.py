"""What may end the work inside an allocation: signals, the time limit, a failing node, a later holder."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from saih.domain.errors import Interrupted, SaihError
from saih.launch.interruption import Interruption
from saih.launch.local import Ending
from saih.launch.loss import tail_of, was_terminated
from saih.launch.node_probe import NodeProbe
from saih.store.fence import NO_FENCE, Fence

_LOOK_S = 2.0
_TICK_S = 0.2
_SHORT_WAIT_S = 3.0
_LONG_WAIT_S = 45.0
"""Schedulers signal the ranks of a job first, its script later: Slurm after GraceTime and KillWait (30 s)."""


@dataclass(slots=True, kw_only=True)
class AllocationOverseer:
    """The overseer of a driver inside an allocation."""

    asked: Interruption
    probe: NodeProbe
    ends_s: float | None
    """When to stop at the latest [s, monotonic clock], for schedulers that give no notice; None for never."""
    fence: Fence = NO_FENCE
    _looked_s: float = field(default=0.0, init=False)
    _is_superseded: bool = field(default=False, init=False)

    def is_asked(self) -> bool:
        """Whether a signal came, the time is up, or somebody else took the points over."""
        return self.asked.is_asked() or self._is_late() or self._has_lost()

    def error(self) -> SaihError:
        """Why it is time to stop."""
        if self._is_superseded:
            return self.fence.superseded()
        if self.asked.signal is not None:
            return _interrupted(f"the scheduler sent {self.asked.signal.name}")
        return _interrupted("the time limit is near")

    def consider(self, ending: Ending, log_path: Path) -> None:
        """Do nothing when the ranks ended by themselves on nodes that are well.

        Raises:
            Interrupted: when the job is being ended, or a node does not answer.
            Superseded: when somebody else took the points over.
        """
        self._wait(_LONG_WAIT_S if was_terminated(ending, tail_of(log_path)) else _SHORT_WAIT_S)
        if not self.probe.is_well():
            self._wait(_LONG_WAIT_S)
            raise _interrupted("not every node of the job answers any more")

    def _wait(self, limit_s: float) -> None:
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            if self.is_asked():
                raise self.error()
            time.sleep(_TICK_S)

    def _is_late(self) -> bool:
        return self.ends_s is not None and time.monotonic() > self.ends_s

    def _has_lost(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._looked_s > _LOOK_S:
            self._looked_s = now_s
            self._is_superseded = self._is_superseded or not self.fence.is_open
        return self._is_superseded


def _interrupted(cause: str) -> Interrupted:
    return Interrupted(
        f"{cause}; every finished point is kept.", "the job goes on when it runs again, at the next point."
    )
