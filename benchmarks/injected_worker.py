"""The ranks of ``benchmarks.interventions``: the worker of SAIH with an application that has a fault.

It is CosmoFlow, session for session; the plan beside its data tells what is done to which run. SAIH sees an
application like any other: it measures, and learns nothing of the plan.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mpi4py import MPI

from augment.problem import Problem
from benchmarks import injected_loads
from benchmarks.injected_causes import Cause, Injection, read_injections
from benchmarks.injected_exchange import SlowGroup
from benchmarks.injected_loads import Load
from saih.harness.job_run import run_job
from saih.harness.lifeline import die_with_parent
from saih.store.job_file import read_job
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.means import ALONE, Means
from workloads.protocol import GradientExchange, Mark, PhaseName, Progress, Session, Surroundings

_READ_FILE = "blocks.bin"


class FaultyJob:
    """CosmoFlow's side, with sessions that may have a fault."""

    def __init__(self) -> None:
        self._sound = CosmoFlowJob()

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """As CosmoFlow."""
        self._sound.generate(problem, data_folder, rank, num_ranks, progress)

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """As CosmoFlow."""
        self._sound.seal(problem, data_folder)

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """CosmoFlow's session, with what the plan has for this run."""
        found = read_injections(surroundings.data_folder, surroundings.seed)
        own = [one for one in found if one.cause is not Cause.SLOW_RANK or one.rank == surroundings.rank]
        delays = [injected_loads.waiting(one.added_ns) for one in own if one.cause is Cause.EXCHANGE]
        for delay in delays:
            surroundings = replace(surroundings, exchange=_SlowExchange(surroundings.exchange, delay))
        session = self._sound.prepare(problem, surroundings)
        in_step = [_step_load(one) for one in found if _is_in_step(one)]
        if any(one.cause is Cause.SLOW_RANK and one.rank != surroundings.rank for one in found):
            in_step = []
        in_batch = [_batch_load(one, surroundings) for one in own if _is_in_batch(one)]
        return FaultySession(session, in_step, in_batch)


class FaultySession:
    """A session that does more in each step and for each batch."""

    def __init__(self, sound: Session[Any], in_step: Sequence[Load], in_batch: Sequence[Load]) -> None:
        self._sound = sound
        self._in_step = in_step
        self._in_batch = in_batch

    def produce(self, step: int) -> Any:  # Any: whatever the sound session makes
        """One batch, and what is done besides."""
        for load in self._in_batch:
            load()
        return self._sound.produce(step)

    def step(self, batch: Any, mark: Mark) -> Any:  # Any: as the protocol has it
        """One step; what is done besides lies in its forward pass."""

        def later(phase: PhaseName) -> None:
            if phase == "forward":
                for load in self._in_step:
                    load()
            mark(phase)

        return self._sound.step(batch, later if self._in_step else mark)

    def close(self) -> None:
        """As the sound session."""
        self._sound.close()


class _SlowExchange:
    """The exchange of the harness on a slower network."""

    def __init__(self, sound: GradientExchange, delay: Load) -> None:
        self._sound: Any = sound  # Any: the group below it is no business of an application
        self._delay = delay

    def attach(self, model: Any) -> Any:  # Any: as the protocol has it
        """The model, exchanging over that network."""
        gradient_bytes = sum(one.numel() * one.element_size() for one in model.parameters())
        fast = self._sound._group  # noqa: SLF001  # there is no other way to a slower network
        self._sound._group = SlowGroup(fast, self._delay, gradient_bytes)  # noqa: SLF001
        return self._sound.attach(model)


def _is_in_step(injection: Injection) -> bool:
    return injection.cause in (Cause.ARITHMETIC, Cause.TRAFFIC, Cause.TINY, Cause.SLOW_RANK)


def _is_in_batch(injection: Injection) -> bool:
    return injection.cause in (Cause.STORAGE, Cause.DECODE)


def _step_load(injection: Injection) -> Load:
    """All ranks make it, also one that will not use it: its length is measured while all of them work."""
    makers = {
        Cause.ARITHMETIC: injected_loads.arithmetic,
        Cause.SLOW_RANK: injected_loads.arithmetic,
        Cause.TRAFFIC: injected_loads.traffic,
        Cause.TINY: injected_loads.tiny,
    }
    return makers[injection.cause](injection.added_ns, MPI.COMM_WORLD.Barrier)


def _batch_load(injection: Injection, surroundings: Surroundings) -> Load:
    if injection.cause is Cause.DECODE:
        return injected_loads.decoding(injection.added_ns, MPI.COMM_WORLD.Barrier)
    return injected_loads.reading(
        injection.added_ns, surroundings.data_folder / f"rank{surroundings.rank}-{_READ_FILE}"
    )


if __name__ == "__main__":
    die_with_parent()
    run_job(read_job(Path(sys.argv[1])), {"cosmoflow": FaultyJob()}, MPI.COMM_WORLD)
