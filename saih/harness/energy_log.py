"""The energy of the measured steps on one rank: its counters read between chunks of steps, never in one."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from saih.domain.energy import EnergyPart
from saih.harness.clock import ReadClock
from saih.machine.energy_counter import MOST_WATTS, Counter, Counters

MOST_BLOCKS = 60
"""Runs of steps that a record keeps; neighbours are joined where there were more."""


class EnergyLog:
    """Readings of the counters of this rank, as many on every rank of a point."""

    def __init__(self, counters: Counters, clock: ReadClock) -> None:
        self._counters = counters.counters
        self._reasons = dict(counters.reasons)
        self._clock = clock
        self._totals_uj: tuple[list[int], ...] = tuple([] for _ in self._counters)
        self._at_ns: list[int] = []
        self._num_steps: list[int] = []

    def begin(self) -> None:
        """Read, before the first measured step."""
        self._read()

    def add(self, num_steps: int) -> None:
        """Read, after ``num_steps`` more steps."""
        self._num_steps.append(num_steps)
        self._read()

    def report(self) -> dict[str, Any]:
        """What this rank saw, for ``energy_sum.together`` on rank 0; empty for a rank that has no counter.

        ``blocks_uj`` holds the energy [uJ] of each run of steps by part, ``block_steps`` their lengths,
        ``reasons`` why other parts lack.
        """
        if not self._counters and not self._reasons:
            return {}
        blocks_uj: dict[EnergyPart, list[int]] = {}
        for counter, totals_uj in zip(self._counters, self._totals_uj, strict=True):
            try:
                own = joined(self._grown_uj(counter, totals_uj))
            except ValueError as error:
                self._reasons.setdefault(counter.part, str(error))
                continue
            before = blocks_uj.get(counter.part, [0] * len(own))
            blocks_uj[counter.part] = [one + other for one, other in zip(before, own, strict=True)]
        return {
            "blocks_uj": {part: own for part, own in blocks_uj.items() if part not in self._reasons},
            "block_steps": joined(self._num_steps),
            "reasons": dict(self._reasons),
        }

    def _read(self) -> None:
        """Every counter, and the moment; a part of which one fails is not read again."""
        if not self._counters:
            return
        self._at_ns.append(self._clock())
        for counter, totals_uj in zip(self._counters, self._totals_uj, strict=True):
            if counter.part in self._reasons:
                continue
            try:
                totals_uj.append(counter.read_uj())
            except (OSError, ValueError) as error:
                self._reasons[counter.part] = f"{counter.name} could not be read any more: {error}"

    def _grown_uj(self, counter: Counter, totals_uj: Sequence[int]) -> list[int]:
        """Energy [uJ] between readings; ValueError in words where they do not tell it."""
        gaps_s = [(later - earlier) / 1e9 for earlier, later in pairwise(self._at_ns)]
        if not gaps_s or len(totals_uj) < len(self._at_ns):
            raise ValueError(f"{counter.name} was not read at every turn")
        if counter.longest_s is not None and max(gaps_s) > counter.longest_s:
            raise ValueError(
                f"{counter.name} may have begun again from 0 more than once in the {max(gaps_s):.0f} s "
                f"between two readings; it is sure for {counter.longest_s:.0f} s"
            )
        if sum(gaps_s) < counter.shortest_s:
            raise ValueError(
                f"the measured steps lasted {sum(gaps_s):.3f} s; {counter.name} moves in jumps, too large "
                f"for less than {counter.shortest_s:g} s"
            )
        grown_uj = [counter.advance_uj(earlier, later) for earlier, later in pairwise(totals_uj)]
        _require_possible(counter, grown_uj, gaps_s)
        if not sum(grown_uj):
            raise ValueError(f"{counter.name} stood still for {sum(gaps_s):.1f} s, so it counts nothing")
        return grown_uj


def _require_possible(counter: Counter, grown_uj: Sequence[int], gaps_s: Sequence[float]) -> None:
    """Refuse an advance beyond all power: a total that was set back looks as if it had gone all around."""
    for grown, gap_s in zip(grown_uj, gaps_s, strict=True):
        if grown / 1e6 > MOST_WATTS[counter.part] * (gap_s + counter.shortest_s):
            raise ValueError(
                f"{counter.name} advanced by {grown / 1e6:.0f} J in {gap_s:.2f} s, more than it can: "
                "something set it back"
            )


def joined(values: Sequence[int], most: int = MOST_BLOCKS) -> list[int]:
    """Sums of at most ``most`` neighbourhoods of nearly equal length; the same split on every rank."""
    count = min(len(values), most)
    ends = [len(values) * index // count for index in range(count + 1)] if count else []
    return [sum(values[begin:end]) for begin, end in pairwise(ends)]
