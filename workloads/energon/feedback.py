"""The way back from the last stage of a pipeline to the first: the tokens that were just generated.

Each rank of the last stage speaks with the one of the first stage that has the same share. Messages are
small, in the order of the passes, and never wait for a reader.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import torch
from torch import Tensor, distributed
from torch.distributed import ProcessGroup, Work

from workloads.energon.latency import StepMoments
from workloads.energon.plan import EnginePlan
from workloads.protocol import ReadClock

_TAG = 11
_NUM_PINGS = 8
_PATIENCE = timedelta(hours=1)
"""Of one message; what a pass may take. Whoever dies closes its connections, which is noticed at once."""


class Feedback:
    """One rank's end. Only one thread may use it."""

    def __init__(self, plan: EnginePlan, rank: int) -> None:
        """All ranks of the plan make it, at the same place among their collectives."""
        lane = rank % plan.tensor_parallel
        self._first, self._last = lane, lane + (plan.pipeline_parallel - 1) * plan.tensor_parallel
        self._group = _joined(plan)
        self.is_first, self.is_last = rank == self._first, rank == self._last
        self._sends: list[tuple[Work | None, Tensor]] = []

    def give(self, values: Tensor) -> None:
        """Send int64 values from the last stage to the first, without waiting."""
        kept = values.contiguous()
        self._sends.append((distributed.isend(kept, self._first, group=self._group, tag=_TAG), kept))

    def take(self, count: int) -> Tensor:
        """The next ``count`` values that were given, on the first stage."""
        return self._received(count, self._last)

    def settle(self) -> None:
        """Wait until all that was given has gone."""
        for work, _ in self._sends:
            if work is not None:
                work.wait()
        self._sends.clear()

    def offset_ns(self, clock: ReadClock) -> int:
        """What the clock of the last stage shows beyond that of the first; both call it, the first is told.

        From the fastest of some round trips. Ranks of one host read the same clock: a difference that the
        round trip can explain is none.
        """
        found: list[tuple[int, int]] = []
        for _ in range(_NUM_PINGS):
            if self.is_first:
                begin_ns = clock()
                self._sent(torch.zeros(1, dtype=torch.int64), self._last)
                (there_ns,) = self.take(1).tolist()
                end_ns = clock()
                found.append((end_ns - begin_ns, there_ns - (begin_ns + end_ns) // 2))
            else:
                self._received(1, self._first)
                self._sent(torch.tensor([clock()]), self._first)
        if not self.is_first:
            return 0
        trip_ns, difference_ns = min(found)
        return difference_ns if abs(difference_ns) > trip_ns else 0

    def close(self) -> None:
        """Part from the other ranks."""
        distributed.destroy_process_group(self._group)

    def _sent(self, values: Tensor, rank: int) -> None:
        distributed.send(values, rank, group=self._group, tag=_TAG)

    def _received(self, count: int, rank: int) -> Tensor:
        values = torch.empty(count, dtype=torch.int64)
        distributed.recv(values, rank, group=self._group, tag=_TAG)
        return values


def joined_moments(
    feedback: Feedback, steps: Sequence[StepMoments], clock: ReadClock
) -> tuple[StepMoments, ...]:
    """The steps of the first stage with the answers of the last one, in the clock of the first; both call it.

    Others than these two stages get what they gave.
    """
    if not feedback.is_first and not feedback.is_last:
        return tuple(steps)
    offset_ns = feedback.offset_ns(clock)
    if feedback.is_last:
        for step in steps:
            feedback.give(torch.tensor(step.answers_ns, dtype=torch.int64))
        feedback.settle()
        return tuple(steps)
    answers = [feedback.take(len(step.begins_ns)).tolist() for step in steps]
    return tuple(
        replace(step, answers_ns=[moment_ns - offset_ns for moment_ns in moments_ns])
        for step, moments_ns in zip(steps, answers, strict=True)
    )


def _joined(plan: EnginePlan) -> ProcessGroup:
    group = distributed.new_group(list(range(plan.num_ranks)), timeout=_PATIENCE, backend="gloo")
    if group is None:
        raise RuntimeError("torch.distributed made no process group for the way back")
    return group
