"""Galaxy in a job: ranks are devices, which survey each other, plan, and answer one request a step."""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augment.problem import Problem
from workloads.galaxy.agreement import Agreed, agree_on_plan
from workloads.galaxy.answering import Answering
from workloads.galaxy.request_notes import request_notes
from workloads.galaxy.seat import Seat, open_seat
from workloads.galaxy.shapes import GalaxyShape
from workloads.means import ALONE, Means
from workloads.protocol import Mark, PhaseName, Progress, Session, Surroundings, Told

_MOST_STEPS = 10_000
"""Requests of which latencies are kept."""


class GalaxyJob:
    """The side of galaxy that runs inside the job."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """Nothing is stored: token ids are drawn when they are needed."""

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Nothing is stored."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """Join the ranks of this replica, plan, and load this rank's part of the model with random weights.

        Raises:
            ProblemError: for a precision that is not known, devices that no plan fits on, or links that are
                slower than asked for.
            ArithmeticError: when the devices together answer otherwise than one of them alone.
            LinkError: when another rank is lost.
        """
        return RequestSession(GalaxyShape.from_problem(problem), surroundings)

    def notes(self, told: Sequence[Told]) -> Mapping[str, str]:
        """What the ranks told, by rank, as notes of the point."""
        return request_notes(told)


class RequestSession:
    """Requests of one replica on one of its ranks."""

    def __init__(self, shape: GalaxyShape, surroundings: Surroundings) -> None:
        self._shape = shape
        self._seed = surroundings.seed
        self._replica = surroundings.rank // surroundings.degrees.num_ranks
        self._clock = surroundings.clock
        self._mark: Mark = _unmarked
        self._took_ns: deque[int] = deque(maxlen=_MOST_STEPS)
        self._sent_bytes: deque[int] = deque(maxlen=_MOST_STEPS)
        with ExitStack() as opening:
            self._seat: Seat = open_seat(surroundings)
            opening.callback(self._seat.close)
            self._agreed: Agreed = agree_on_plan(shape, self._seat)
            self._answering = Answering(shape, self._agreed, self._seat, self._seed)
            opening.callback(self._answering.close)
            self._check = self._answering.check(self.produce(0).tolist())
            self._answering.begin(self._marked if self._seat.num_ranks > 1 else None)
            self._owned = opening.pop_all()

    def produce(self, step: int) -> Tensor:
        """Draw the tokens of a request [sequence] (int64); all ranks of a replica draw the same."""
        # The stream of random() is promised for a seed.
        seed = random.Random(f"{self._seed} {self._replica} {step}").getrandbits(63)  # noqa: S311
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(
            self._shape.architecture.vocab_size, (self._shape.sequence,), generator=generator
        )

    def step(self, batch: Tensor, mark: Mark) -> float:
        """Answer one request; gives the mean of the answer.

        Only one rank knows it. It gives it times the number of ranks and others give 0, so that the mean over
        ranks is that of the answers.

        Raises:
            LinkError: when another device is lost.
        """
        self._mark = mark
        begin_ns, sent = self._clock(), self._answering.sent_bytes
        answer = self._answering.answer(batch)
        mark("forward")
        self._sent_bytes.append(self._answering.sent_bytes - sent)
        if answer is None:
            return 0.0
        self._took_ns.append(self._clock() - begin_ns)
        return float(answer.mean(dtype=torch.float64)) * self._seat.num_ranks

    def tell(self, num_steps: int) -> Told:
        """The plan, what was foreseen and what came of the last steps."""
        sent = list(self._sent_bytes)[-num_steps:]
        return {
            "replica": self._replica,
            "took_ns": list(self._took_ns)[-num_steps:],
            "sent_bytes": sum(sent) / max(len(sent), 1),
            "planned": {**self._agreed.told, "check": self._check} if self._seat.rank == 0 else None,
        }

    def close(self) -> None:
        """Part from the other ranks and release memory."""
        self._owned.close()

    def _marked(self, phase: PhaseName) -> None:
        self._mark(phase)


def _unmarked(phase: PhaseName) -> None:
    """Between steps nobody measures."""
