"""How long a call takes on all ranks at once: the place of the ceilings that reads the clock."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

from saih.domain.interval import FEWEST_ENCLOSING
from saih.machine.messages import gather_all, greatest, least
from saih.machine.mpi import MPI
from saih.machine.sampling import Durations, Probe

_MAX_REPEATS = 31
_REPEAT_S = 0.01
_CALIBRATION_S = 0.001
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopwatch:
    """Times probes on every rank of ``comm``; it is a ``Sample``.

    Every decision rests on values that all ranks share, so all ranks do the same number of calls.
    """

    comm: MPI.Intracomm
    synchronise: Callable[[], None]
    """Waits until the device has done all that was asked of it."""
    refusals: list[str] = field(default_factory=list)
    """Why probes could not run, in the words of the first rank that could not; the same on all ranks."""

    def __call__(self, prepare: Callable[[], Probe], budget_s: float) -> Durations | None:
        """Seconds per call, [repeat][rank]; None where some rank could not run the probe."""
        probe = self._prepared(prepare)
        if probe is None:
            return None
        most_calls = int(least(self.comm, probe.max_calls))
        num_calls = 1
        call_s = greatest(self.comm, self._seconds_per_call(probe, 1))
        while num_calls * call_s < _CALIBRATION_S and num_calls < most_calls:
            num_calls = min(10 * num_calls, most_calls)
            call_s = greatest(self.comm, self._seconds_per_call(probe, num_calls))
        repeat_s = min(_REPEAT_S, budget_s / FEWEST_ENCLOSING)
        num_calls = min(most_calls, max(1, ceil(repeat_s / call_s)))
        num_repeats = min(_MAX_REPEATS, max(FEWEST_ENCLOSING, int(budget_s / (num_calls * call_s))))
        mine = {"durations_s": [self._seconds_per_call(probe, num_calls) for _ in range(num_repeats)]}
        if self._is_refused(probe.verify):
            return None
        return tuple(zip(*(its["durations_s"] for its in gather_all(self.comm, mine)), strict=True))

    def seconds(self) -> float:
        """The clock of the slowest rank [s], the same on all ranks."""
        return greatest(self.comm, time.perf_counter_ns() * 1e-9)

    def _prepared(self, prepare: Callable[[], Probe]) -> Probe | None:
        """The probe after its first call, which is never timed; None where some rank cannot run it."""
        # Two stages: no rank may enter a collective call that another rank could not even prepare.
        made: list[Probe] = []
        if self._is_refused(lambda: made.append(prepare())):
            return None
        if self._is_refused(made[0].call) or self._is_refused(self.synchronise):
            return None
        return made[0]

    def _is_refused(self, work: Callable[[], object]) -> bool:
        """Whether the work failed on any rank for want of memory, of an implementation or of a file."""
        problem = ""
        try:
            work()
        except (RuntimeError, MemoryError, OSError) as error:
            problem = f"rank {self.comm.rank}: {error}"
        problems = [its["problem"] for its in gather_all(self.comm, {"problem": problem}) if its["problem"]]
        if problems:
            self.refusals.append(problems[0].splitlines()[0])
            if self.comm.rank == 0:
                _log.warning("one size of a ceiling is left out: %s", self.refusals[-1])
        return bool(problems)

    def _seconds_per_call(self, probe: Probe, num_calls: int) -> float:
        """After the device is idle and all ranks are here."""
        probe.before()
        self.synchronise()
        self.comm.Barrier()
        begin_ns = time.perf_counter_ns()
        for _ in range(num_calls):
            probe.call()
        self.synchronise()
        return max(1, time.perf_counter_ns() - begin_ns) * 1e-9 / num_calls


def durations_s(work: Callable[[], object], most_s: float) -> list[float]:
    """Seconds of each of as many calls as begin within ``most_s``, on this rank alone; at least one."""
    found: list[float] = []
    now_ns = time.perf_counter_ns()
    end_ns = now_ns + int(most_s * 1e9)
    while not found or now_ns < end_ns:
        work()
        begin_ns, now_ns = now_ns, time.perf_counter_ns()
        found.append((now_ns - begin_ns) * 1e-9)
    return found


def wait(seconds: float) -> None:
    """Leave the cores to others for so long."""
    time.sleep(seconds)
