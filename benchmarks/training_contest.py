"""Contestants of the training step: a plain loop, the step of SAIH in some execution, bare convolutions.

Each works in a process of its own (``benchmarks.training_worker``) on batches that are there already, and
they take turns.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from augment.problem import Problem, Shape
from benchmarks.turn_takers import TurnTaker
from cosmology.architecture import Architecture
from saih.domain.point import Device, Placement
from saih.launch.starter import rank_environment
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.execution import Execution

CHANNELS = 4
PLAIN_LOOP, SESSION, BOTH = "plain", "session", "both"
CONVOLUTIONS, PRODUCTS = "convolutions", "products"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What is trained: a member of the family at depth 1, and the batch."""

    resolution: int
    width: int
    batch: int
    threads: int
    device: Device = "cpu"

    @property
    def name(self) -> str:
        """Such as ``64^3 x 4, width 32, batch 4``."""
        return f"{self.resolution}^3 x {CHANNELS}, width {self.width}, batch {self.batch}"

    @property
    def problem(self) -> Problem:
        """As a sweep asks for it; samples enough for several batches."""
        samples = max(8, 4 * self.batch)
        return Problem(
            data=Shape.of(samples=samples, universes=samples, resolution=self.resolution, channels=CHANNELS),
            model=Shape.of(depth=1, width=self.width),
        )

    @property
    def architecture(self) -> Architecture:
        """Its layers."""
        return CosmoFlowShape.from_problem(self.problem).architecture()

    @property
    def placement(self) -> Placement:
        """One rank with all threads."""
        return Placement(threads_per_rank=self.threads, device=self.device)


def own_threads() -> int:
    """The cores of this process."""
    return len(os.sched_getaffinity(0))


def plain_loop(member: Member, *, name: str = "plain loop", as_started: bool = False) -> TurnTaker:
    """The plain loop; ``as_started``: by ``python loop.py``, without the allocator settings of our ranks."""
    environment = dict(os.environ) if as_started else _rank_environment(member)
    return _taker(name, PLAIN_LOOP, member, {}, environment)


def session(name: str, member: Member, execution: Execution) -> TurnTaker:
    """The step of SAIH as a rank runs it."""
    return _taker(name, SESSION, member, {"execution": asdict(execution)}, _rank_environment(member))


def plain_and_session(member: Member, execution: Execution) -> TurnTaker:
    """Both in one process, as a rank runs: asked for ``-n`` steps, those of SAIH answer."""
    name = "plain loop and session"
    return _taker(name, BOTH, member, {"execution": asdict(execution)}, _rank_environment(member))


def convolutions(member: Member, precision: str) -> TurnTaker:
    """The convolutions of the same step and nothing else; answers seconds of each."""
    return _taker("convolutions", CONVOLUTIONS, member, {"precision": precision}, _rank_environment(member))


def products(member: Member, precision: str) -> TurnTaker:
    """Square matrix products, as the ceiling of arithmetic has them; answers FLOP/s of the best side."""
    return _taker("products", PRODUCTS, member, {"precision": precision}, _rank_environment(member))


def _rank_environment(member: Member) -> dict[str, str]:
    return rank_environment(os.environ, member.placement)


def _taker(
    name: str, kind: str, member: Member, more: Mapping[str, object], environment: Mapping[str, str]
) -> TurnTaker:
    asked = json.dumps({"member": asdict(member), **more})
    return TurnTaker(name, [sys.executable, "-m", "benchmarks.training_worker", kind, asked], environment)
