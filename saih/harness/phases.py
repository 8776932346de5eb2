"""The timer of one step: contiguous marks, so that the additive phases sum to the step exactly."""

import numpy as np
from numpy.typing import NDArray

from saih.domain.record import ADDITIVE_PHASES, HIDDEN_PHASES, Meter, Phase
from saih.harness.clock import ReadClock
from saih.harness.exchange import MeasuredExchange
from workloads.protocol import PhaseName

COLUMNS = (*ADDITIVE_PHASES, *HIDDEN_PHASES)
"""The phases in the order of a timed row."""
METERS = tuple(Meter)
"""The meters in the order in which they follow the phases in a row."""
_COLUMN_OF = {str(phase): index for index, phase in enumerate(COLUMNS)}
_BACKWARD = _COLUMN_OF[Phase.BACKWARD]
_COMMUNICATION = _COLUMN_OF[Phase.COMMUNICATION]
_OTHER = _COLUMN_OF[Phase.OTHER]
_PRODUCE = _COLUMN_OF[Phase.INPUT_PRODUCE]
_TOTAL = _COLUMN_OF[Phase.COMMUNICATION_TOTAL]


class StepTimer:
    """Times steps that follow each other without a gap: a step begins where the last one ended."""

    __slots__ = ("_clock", "_exchange", "_last_ns", "_row")

    def __init__(self, clock: ReadClock, exchange: MeasuredExchange) -> None:
        self._clock = clock
        self._exchange = exchange
        self._row = [0] * len(COLUMNS)
        self._last_ns = 0

    def begin(self) -> None:
        """Begin the first of several steps now."""
        self._last_ns = self._clock()
        self._row = [0] * len(COLUMNS)

    def mark(self, phase: PhaseName) -> None:
        """All time since the last mark belonged to ``phase``."""
        if phase == "backward":
            self._mark_backward()
            return
        now_ns = self._clock()
        self._row[_COLUMN_OF[phase]] += now_ns - self._last_ns
        self._last_ns = now_ns

    def produced(self, produce_ns: int) -> None:
        """The batch of this step took so long to make [ns], in another thread."""
        self._row[_PRODUCE] = produce_ns

    def end(self) -> list[int]:
        """End the step and begin the next; the durations [ns] of ``COLUMNS``."""
        now_ns = self._clock()
        self._row[_OTHER] += now_ns - self._last_ns
        self._last_ns = now_ns
        row, self._row = self._row, [0] * len(COLUMNS)
        return row

    def _mark_backward(self) -> None:
        self._exchange.end_backward()
        now_ns = self._clock()
        backward_ns = now_ns - self._last_ns
        self._last_ns = now_ns
        communication = self._exchange.take(now_ns)
        exposed_ns = min(communication.exposed_ns, backward_ns)
        self._row[_BACKWARD] += backward_ns - exposed_ns
        self._row[_COMMUNICATION] += exposed_ns
        self._row[_TOTAL] += communication.total_ns


def step_ns(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The whole step [ns] of each timed row: the sum of its additive phases."""
    total: NDArray[np.int64] = rows[..., : len(ADDITIVE_PHASES)].sum(axis=-1)
    return total
