"""An application whose steps last as long as their execution says; ranks in tests of tuning use it too."""

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augment.problem import Problem
from workloads.execution import Execution
from workloads.protocol import Mark, Surroundings
from workloads.tuning import Knob, TuningFacts

STEP_S = 0.015
KNOBS = (
    Knob(name="precision", values=("bfloat16",)),
    Knob(name="layout", values=("channels_first",)),
    Knob(name="kernels", values=("own",)),
    Knob(name="inputs", values=("counts",)),
    Knob(name="compiler", values=("inductor",)),
)
THREADS = 3
"""Model size ``broken`` of a problem whose ranks may take fewer threads."""


class MadeSession:
    """Bfloat16 and a compiler take more than half of a step off, channels first makes it three times as long,
    counts learn something else. Own kernels fail on the last rank alone, in the middle of a step that the
    others wait for; what is compiled needs all memory for itself.
    """

    are_cores_free = True
    """Whether two threads take less time than one; where not, others are on the cores until another layout is
    tried.
    """
    open_executions: list[Execution] = []  # noqa: RUF012 - of the process, as memory is

    def __init__(self, surroundings: Surroundings, *, is_fatal: bool) -> None:
        self.execution = surroundings.execution
        self.is_fatal = is_fatal
        if self.execution.compiler == "inductor" and self.open_executions:
            raise MemoryError("no memory beside another session")
        self.is_failing = self.execution.kernels == "own" and surroundings.rank == surroundings.num_ranks - 1
        torch.manual_seed(surroundings.seed)
        self.model = surroundings.exchange.attach(nn.Linear(4, 1))
        self.num_steps = 0
        if self.execution.layout == "channels_first":
            MadeSession.are_cores_free = True
        self.open_executions.append(self.execution)

    @property
    def step_s(self) -> float:
        factors = (
            (self.execution.precision == "bfloat16", 0.4),
            (self.execution.layout == "channels_first", 3.0),
            (self.execution.compiler == "inductor", 0.4),
            (self.execution.threads == 1, 2.0 if self.are_cores_free else 0.4),
        )
        step_s = STEP_S
        for applies, factor in factors:
            step_s *= factor if applies else 1.0
        return step_s

    def produce(self, step: int) -> Tensor:
        return torch.full((2, 4), 1.0 + step % 2)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        self.num_steps += 1
        loss = self.model(batch).square().mean()
        mark("forward")
        if self.is_failing and self.is_fatal:
            os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does for want of memory
        if self.is_failing and self.num_steps == 2:
            raise RuntimeError("the own kernel does not run here")
        loss.backward()
        time.sleep(self.step_s)
        mark("backward")
        is_odd = self.execution.inputs == "counts"
        return torch.tensor(1.0 / self.num_steps + (0.5 if is_odd else 0.0))

    def close(self) -> None:
        self.open_executions.remove(self.execution)


class MadeJob:
    """Its job side; a problem of model size ``broken: 1`` can only be stepped in bfloat16, with ``broken: 2``
    own kernels end the process; with ``broken: 3`` ranks may take one thread.
    """

    def generate(self, *_: Any) -> None:
        """Nothing to make."""

    def seal(self, *_: Any) -> None:
        """Nothing to seal."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> MadeSession:
        if problem.model["broken"] == 1 and surroundings.execution.precision != "bfloat16":
            raise MemoryError("float32 is too large")
        return MadeSession(surroundings, is_fatal=problem.model["broken"] == 2)

    def settings(self, problem: Problem, facts: TuningFacts) -> Sequence[Knob]:
        if problem.model["broken"] == THREADS:
            return Knob(name="threads", values=(1,)), KNOBS[1]
        return KNOBS if facts.may_change_precision else KNOBS[1:]
