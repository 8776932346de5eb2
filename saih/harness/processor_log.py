"""What else wanted the processors of a rank in the measured steps: read before the first, after the last."""

import os
import resource
import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from saih.domain.contention import Pressure
from saih.harness.clock import ReadClock
from saih.machine.clock_violations import ReadViolations, no_violations
from saih.machine.messages import Message
from saih.machine.processor_pressure import (
    busy_ns,
    machine_id,
    some_pressure_ns,
    stolen_ns,
    thread_times_ns,
    throttled_ns,
)

_LEAST_WORK = 0.2
"""A thread that was on a processor for this share of the stepping one's time works beside it."""
_MACHINE, _PROCESSORS, _BUSY, _OWN = "machine", "processors", "busy_ns", "own_ns"
"""Of a report: they make no note by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    counts: Mapping[Pressure, int | None]
    threads: Mapping[int, tuple[int, int]]
    busy_ns: int | None
    """Of the processors that this rank may use."""
    own_ns: int
    """Of all threads of this rank."""


class ProcessorLog:
    """Reads once at the begin and once at the end, some 0.2 ms each, outside the steps."""

    def __init__(self, clock: ReadClock, violations: ReadViolations = no_violations) -> None:
        self._clock = clock
        self._violations = violations
        self._stepping = threading.get_native_id()
        self._begin: _Reading | None = None

    def begin(self) -> None:
        """Measured steps begin now."""
        self._begin = self._read()

    def report(self, helpers: Collection[int] = ()) -> Message:
        """What this rank saw since the begin, by the value of its ``Pressure``.

        Threads that are ``helpers`` (loaders, those of an exchange) are no workers: that they wait for a
        processor shows in waiting for input and in the exchange, if anywhere.
        """
        if self._begin is None:
            return {}
        begin, end = self._begin, self._read()
        pairs = {pressure: (begin.counts.get(pressure), end.counts[pressure]) for pressure in end.counts}
        grown = {
            str(pressure): max(after - before, 0)
            for pressure, (before, after) in pairs.items()
            if before is not None and after is not None
        }
        delays = self._delays(begin.threads, end.threads, helpers)
        return {**grown, **delays, **_shared(begin, end)}

    def _delays(
        self,
        before: Mapping[int, tuple[int, int]],
        after: Mapping[int, tuple[int, int]],
        helpers: Collection[int],
    ) -> Message:
        """Run delay of the stepping thread, and the longest of those that work beside it."""
        grown = {
            number: (times[0] - before[number][0], times[1] - before[number][1])
            for number, times in after.items()
            if number in before
        }
        own = grown.pop(self._stepping, None)
        if own is None:
            return {}
        workers = [
            delay_ns
            for number, (on_cpu_ns, delay_ns) in grown.items()
            if number not in helpers and on_cpu_ns >= _LEAST_WORK * own[0] > 0
        ]
        return {
            str(Pressure.RUN_DELAY): max(own[1], 0),
            str(Pressure.WORKER_DELAY): max([0, *workers]),
        }

    def _read(self) -> _Reading:
        process = resource.getrusage(resource.RUSAGE_SELF)
        thread = resource.getrusage(resource.RUSAGE_THREAD)
        counts = {
            Pressure.ELAPSED: self._clock(),
            Pressure.THROTTLED: throttled_ns(),
            Pressure.CPU_SOME: some_pressure_ns("cpu"),
            Pressure.IO_SOME: some_pressure_ns("io"),
            Pressure.STOLEN: stolen_ns(),
            Pressure.MAJOR_FAULTS: process.ru_majflt,
            Pressure.SWITCHED_OUT: thread.ru_nivcsw,
            **self._violations(),
        }
        return _Reading(
            counts=counts,
            threads=thread_times_ns(),
            busy_ns=busy_ns(os.sched_getaffinity(0)),
            own_ns=round((process.ru_utime + process.ru_stime) * 1e9),
        )


def _shared(begin: _Reading, end: _Reading) -> Message:
    """What tells, with the reports of the other ranks of a machine, how much others had of its processors."""
    machine = machine_id()
    if begin.busy_ns is None or end.busy_ns is None or machine is None:
        return {}
    return {
        _MACHINE: machine,
        _PROCESSORS: sorted(os.sched_getaffinity(0)),
        _BUSY: max(end.busy_ns - begin.busy_ns, 0),
        _OWN: max(end.own_ns - begin.own_ns, 0),
    }


def worst(reports: Sequence[Message]) -> dict[Pressure, int]:
    """The largest of every rank, of what every rank could read; and what others had of the worst machine."""
    found = {
        pressure: max(int(report[pressure]) for report in reports)
        for pressure in Pressure
        if reports and all(pressure in report for report in reports)
    }
    others = _others_ns(reports)
    return found if others is None else {**found, Pressure.OTHERS: others}


def _others_ns(reports: Sequence[Message]) -> int | None:
    """Processor time of others, mean over the processors that ranks share; None where that cannot be told.

    Ranks that share some of their processors only leave it open whose time it was.
    """
    if not reports or any(_BUSY not in report for report in reports):
        return None
    groups: dict[tuple[str, tuple[int, ...]], list[Message]] = defaultdict(list)
    for report in reports:
        groups[report[_MACHINE], tuple(report[_PROCESSORS])].append(report)
    used = Counter((machine, number) for machine, processors in groups for number in processors)
    if max(used.values()) > 1:
        return None
    return max(
        max(max(report[_BUSY] for report in own) - sum(report[_OWN] for report in own), 0) // len(processors)
        for (_, processors), own in groups.items()
    )
