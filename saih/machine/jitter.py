"""How evenly a core works: a fixed quantum of work again and again, on one core after another.

What the operating system, interrupts and other users of the core add makes a quantum late (fixed work
quantum; Sottile & Minnich, Cluster 2004).
"""

import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict

from saih.domain.ceiling import MEDIAN_QUANTUM, SLOWEST_QUANTUM, Ceiling, CeilingKind
from saih.domain.interval import Interval
from saih.machine.messages import gather_all
from saih.machine.mpi import MPI
from saih.machine.sampling import CurveName
from saih.machine.stopwatch import durations_s, wait

NAME = CurveName(kind=CeilingKind.JITTER, precision="", unit="s", size_unit="core")
_VARIANTS = ("", SLOWEST_QUANTUM, MEDIAN_QUANTUM)
_BLOCK_BYTES, _BLOCKS = 2**15, 20
"""About 0.1 ms of one core, in its own cache: neighbours that use memory do not disturb it."""
_MOST_CORES = 64
_DEVIATIONS = 1.96
_TAIL = 0.99
Lateness = tuple[Interval, Interval, Interval]
"""The 99th percentile and the maximum of the quanta of a core, both over their median, and the median [s]."""


def jitter_curves(comm: MPI.Intracomm, budget_s: float) -> tuple[Ceiling, ...]:
    """Lateness by core number, and the slowest and the median quantum; the worst node counts for each number.

    The ranks of a node share out its cores, and measure at the same time. Of more than 64 cores of a node, 64
    are measured, evenly spread. Empty where ranks may not choose their core.
    """
    node = MPI.Intracomm(comm.Split_type(MPI.COMM_TYPE_SHARED))
    try:
        own = _shared_out(node)
    finally:
        node.Free()
    rounds = max(len(its["cores"]) for its in gather_all(comm, {"cores": own}))
    mine = _measured(comm, own, rounds, budget_s / max(1, rounds))
    words = {str(core): [asdict(one) for one in found] for core, found in mine.items()}
    worst: dict[int, Lateness] = {}
    for its in gather_all(comm, words):
        for name, values in its.items():
            core, found = int(name), _read(values)
            if core not in worst or found[0].value > worst[core][0].value:
                worst[core] = found
    return _curves(dict(sorted(worst.items())))


def lateness(quanta_s: Sequence[float]) -> Lateness:
    """How late the quanta of one core are, with 95 % intervals of order statistics.

    That of the maximum ends at it: nothing here tells what a longer watch would see.
    """
    ordered = sorted(quanta_s)
    median, late = _quantile(ordered, 0.5), _quantile(ordered, _TAIL)
    longest = Interval(low=late.high, value=ordered[-1], high=ordered[-1], level=0.95, count=len(ordered))
    return _beyond(late, median.value), _beyond(longest, median.value), median


def _quantile(ordered: Sequence[float], share: float) -> Interval:
    count = len(ordered)
    spread = _DEVIATIONS * math.sqrt(count * share * (1 - share))
    low, middle, high = (
        ordered[min(max(math.floor(place), 0), count - 1)]
        for place in (count * share - spread, count * share, math.ceil(count * share + spread))
    )
    return Interval(low=low, value=middle, high=high, level=0.95, count=count)


def _beyond(interval: Interval, amount: float) -> Interval:
    low, value, high = (max(0.0, bound - amount) for bound in (interval.low, interval.value, interval.high))
    return Interval(low=low, value=value, high=high, level=interval.level, count=interval.count)


def _shared_out(node: MPI.Intracomm) -> list[int]:
    """The cores that this rank measures: each core of the node by one rank that may run there."""
    allowed = [set(its["cores"]) for its in gather_all(node, {"cores": sorted(os.sched_getaffinity(0))})]
    cores = sorted(set.union(*allowed))
    own = []
    for place, core in enumerate(cores[:: math.ceil(len(cores) / _MOST_CORES)]):
        able = [rank for rank, its in enumerate(allowed) if core in its]
        if able[place % len(able)] == node.rank:
            own.append(core)
    return own


def _measured(
    comm: MPI.Intracomm, cores: Sequence[int], rounds: int, slice_s: float
) -> Mapping[int, Lateness]:
    before = os.sched_getaffinity(0)
    found: dict[int, Lateness] = {}
    work = _quantum()
    try:
        for index in range(rounds):
            comm.Barrier()
            # Who has no core left sleeps: waiting in the barrier would be load on somebody's core.
            if index < len(cores) and _is_on(cores[index]):
                found[cores[index]] = lateness(durations_s(work, slice_s))
            else:
                wait(slice_s)
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
    return found


def _is_on(core: int) -> bool:
    try:
        os.sched_setaffinity(0, {core})
    except OSError:  # not allowed by whatever contains this process
        return False
    return True


def _quantum() -> Callable[[], object]:
    block = bytes(_BLOCK_BYTES)

    def work() -> None:
        for _ in range(_BLOCKS):
            zlib.crc32(block)

    return work


def _read(values: Sequence[Mapping[str, float]]) -> Lateness:
    late, slowest, median = (
        Interval(
            low=one["low"],
            value=one["value"],
            high=one["high"],
            level=one["level"],
            count=int(one["count"]),
        )
        for one in values
    )
    return late, slowest, median


def _curves(worst: Mapping[int, Lateness]) -> tuple[Ceiling, ...]:
    if not worst:
        return ()
    return tuple(
        Ceiling(
            kind=NAME.kind,
            precision=NAME.precision,
            unit=NAME.unit,
            size_unit=NAME.size_unit,
            sizes=tuple(float(core) for core in worst),
            rates=tuple(found[place] for found in worst.values()),
            variant=variant,
        )
        for place, variant in enumerate(_VARIANTS)
    )
