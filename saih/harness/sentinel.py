"""A watchful thread on every rank: it ends the whole job when this rank, or another, cannot go on."""

import faulthandler
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from saih.domain.record import Outcome
from saih.harness.clock import host_ns
from saih.harness.ending import MAX_MESSAGE_BYTES, Ending
from saih.harness.events import tell
from saih.harness.places import places_in_words
from saih.machine.messages import decode, encode
from saih.machine.mpi import MPI

LastWords = Callable[[Ending], None]
"""On rank 0, writes down how the open attempt ended; elsewhere it is never called."""

POLL_S = 0.1
COLLECT_S = 1.5
"""How long rank 0 gathers the last places of other ranks before it writes why the job ends."""
YIELD_S = 4.0
"""How long other ranks leave rank 0 to write the outcome before they end the job themselves."""
STDERR = 2
_DISTRESS_TAG = 1


class Sentinel:
    """Ends the job when ``beat`` was not called for ``limit_s``, or when a rank calls ``give_up``.

    Rank 0 writes the outcome first. A second timer in C ends a rank whose interpreter is stuck too.
    """

    def __init__(self, comm: MPI.Intracomm, limit_s: float, last_words: LastWords) -> None:
        self._comm = comm.Dup()
        self._limit_s = limit_s
        self._last_words = last_words
        self._place = "at the start"
        self._beat_ns = host_ns()
        self._stop = threading.Event()
        self._ending = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="sentinel", daemon=True)
        # Without full thread support only the main thread may speak MPI.
        self._hears_others = MPI.Query_thread() == MPI.THREAD_MULTIPLE and comm.rank == 0 and comm.size > 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()
        self._comm.Free()

    def beat(self, place: str) -> None:
        """This rank made progress and is now at ``place``."""
        self._place = place
        self._beat_ns = host_ns()

    def give_up(self, ending: Ending) -> None:
        """End all ranks because of this one; does not return.

        Rank 0 writes the ending; another rank asks rank 0 to, and ends the job itself if it does not.
        """
        if self._comm.rank == 0:
            self._end_job(ending)
        self._cry(ending)
        time.sleep(YIELD_S)
        self._end_job(ending)

    def _watch(self) -> None:
        rearm_ns = 0
        while not self._stop.wait(POLL_S):
            now_ns = host_ns()
            if now_ns >= rearm_ns:
                # Fires from C when this thread cannot run to push it back.
                faulthandler.dump_traceback_later(self._limit_s + 2 * YIELD_S, exit=True, file=STDERR)
                rearm_ns = now_ns + round(self._limit_s / 4 * 1e9)
            if now_ns - self._beat_ns > self._limit_s * 1e9:
                self._stalled()
            cry = self._hear()
            if cry is not None:
                self._answer(*cry)

    def _stalled(self) -> None:
        faulthandler.dump_traceback(file=STDERR, all_threads=True)
        if self._comm.rank == 0:
            self._end_stalled_job({})
        self.give_up(Ending(outcome=Outcome.TIMED_OUT, reason=f"rank {self._comm.rank} {self._place}"))

    def _answer(self, rank: int, ending: Ending) -> None:
        if ending.outcome is Outcome.TIMED_OUT:
            self._end_stalled_job({rank: _place_of(rank, ending)})
        self._end_job(ending)

    def _end_stalled_job(self, places: dict[int, str]) -> None:
        """On rank 0: ask where the other ranks are, for the silent one is the likely cause."""
        known = {0: self._place, **places}
        deadline_ns = host_ns() + round(COLLECT_S * 1e9)
        while self._hears_others and len(known) < self._comm.size and host_ns() < deadline_ns:
            cry = self._hear()
            if cry is None:
                time.sleep(POLL_S / 10)
            else:
                known[cry[0]] = _place_of(*cry)
        reason = f"no progress for {self._limit_s:g} s: {places_in_words(known, self._comm.size)}"
        self._end_job(Ending(outcome=Outcome.TIMED_OUT, reason=reason))

    def _cry(self, ending: Ending) -> None:
        if MPI.Query_thread() == MPI.THREAD_MULTIPLE:
            message = {"outcome": ending.outcome, "reason": ending.reason}
            self._cried = self._comm.Isend([encode(message), MPI.BYTE], dest=0, tag=_DISTRESS_TAG)

    def _hear(self) -> tuple[int, Ending] | None:
        """Which rank gave up and why, if one did."""
        if not self._hears_others:
            return None
        status = MPI.Status()
        if not self._comm.Iprobe(tag=_DISTRESS_TAG, status=status):
            return None
        buffer = bytearray(MAX_MESSAGE_BYTES)
        self._comm.Recv([buffer, MPI.BYTE], source=status.Get_source(), tag=_DISTRESS_TAG)
        message = decode(bytes(buffer))
        return status.Get_source(), Ending(outcome=Outcome(message["outcome"]), reason=message["reason"])

    def _end_job(self, ending: Ending) -> None:
        """Write what can be written, and end every rank; does not return."""
        self._ending.acquire()  # For good: two threads may want to end the job, one does.
        faulthandler.dump_traceback_later(YIELD_S, exit=True, file=STDERR)
        if self._comm.rank == 0:
            self._last_words(ending)
        tell(
            "error",
            kind="SaihError",
            problem=f"rank {self._comm.rank} ended the job: {ending.outcome}: {ending.reason}",
            remedy="mend what it says; the same command continues with the other points, and with "
            "--retry-failed measures this one too. The stacks of all ranks are in the log of the job.",
        )
        sys.stderr.flush()
        MPI.COMM_WORLD.Abort(1)


def _place_of(rank: int, ending: Ending) -> str:
    return ending.reason.removeprefix(f"rank {rank} ")
