"""The timer of steps: contiguous marks, so that the additive phases sum to the step exactly.

A mark costs two appends: the caches of a core that just ran a step are cold, and what takes 2 us in a loop of
its own takes 20 us there. Durations are made of the marks when several steps have ended.
"""

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import HIDDEN_PHASES, STEP_PHASES, Meter, Phase
from saih.harness.clock import ReadClock
from saih.harness.exchange import MeasuredExchange
from workloads.protocol import PhaseName

COLUMNS = (*STEP_PHASES, *HIDDEN_PHASES)
"""The phases in the order of a timed row."""
METERS = tuple(Meter)
"""The meters in the order in which they follow the phases in a row."""
_END = "end"
"""In place of a phase: the step ends, and what nobody marked is behind it."""
_COLUMN_OF = {str(phase): index for index, phase in enumerate(COLUMNS)} | {
    "backward_part": COLUMNS.index(Phase.BACKWARD),
    _END: COLUMNS.index(Phase.OTHER),
}
_BACKWARD = _COLUMN_OF[Phase.BACKWARD]
_COMMUNICATION = _COLUMN_OF[Phase.COMMUNICATION]
_TOTAL = _COLUMN_OF[Phase.COMMUNICATION_TOTAL]

Rows = NDArray[np.int64]


class StepTimer:
    """Times steps that follow each other without a gap: a step begins where the last one ended."""

    __slots__ = ("_clock", "_end_backward", "_exchange", "_moments", "_phases")

    def __init__(self, clock: ReadClock, exchange: MeasuredExchange) -> None:
        self._clock = clock
        self._exchange = exchange
        self._end_backward = exchange.end_backward
        self._phases: list[str] = []
        self._moments: list[int] = []

    def begin(self) -> None:
        """Begin the first of several steps now; what was marked before is forgotten."""
        self._exchange.take(())
        self._phases = []
        self._moments = [self._clock()]

    def mark(self, phase: PhaseName) -> None:
        """All time since the last mark belonged to ``phase``."""
        if phase == "backward":
            self._end_backward()
        self._moments.append(self._clock())
        self._phases.append(phase)

    def end(self) -> None:
        """End the step and begin the next."""
        self._moments.append(self._clock())
        self._phases.append(_END)

    def rows(self) -> list[list[int]]:
        """The durations [ns] of ``COLUMNS`` in each step that ended since ``begin``; call it once.

        What is hidden behind the step but not marked, the making of its batch, is left 0.
        """
        marks = list(zip(self._phases, self._moments, self._moments[1:], strict=False))
        costs = iter(self._exchange.take([end_ns for phase, _, end_ns in marks if phase == "backward"]))
        rows, row = [], [0] * len(COLUMNS)
        for phase, begin_ns, end_ns in marks:
            row[_COLUMN_OF[phase]] += end_ns - begin_ns
            if phase == "communication":  # marked by the workload itself: all of it is exposed
                row[_TOTAL] += end_ns - begin_ns
            if phase == "backward":
                cost = next(costs)
                exposed_ns = min(cost.exposed_ns, end_ns - begin_ns)
                row[_BACKWARD] -= exposed_ns
                row[_COMMUNICATION] += exposed_ns
                row[_TOTAL] += cost.total_ns
            elif phase == _END:
                rows.append(row)
                row = [0] * len(COLUMNS)
        return rows


def step_ns(rows: Rows) -> Rows:
    """The whole step [ns] of each timed row: the sum of its additive phases."""
    total: Rows = rows[..., : len(STEP_PHASES)].sum(axis=-1)
    return total
