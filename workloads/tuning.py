"""What an application offers whose steps can be executed in several ways: settings worth a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from augment.problem import Problem

LOSS_BOUNDS: Mapping[str, float] = MappingProxyType(
    {"float64": 1e-9, "float32": 1e-3, "tf32": 2e-2, "float16": 2e-2, "bfloat16": 5e-2}
)
"""How far the first losses of an execution may be from the plain ones, by number format, relative to them.

Ten times and more what rounding was seen to do to the first three losses of networks of 20 to 256^3 samples;
what computes something else is off by tenths.
"""
NUM_COMPARED_LOSSES = 3
"""The first shows the forward pass, the next the gradients and what the optimizer makes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningFacts:
    """What decides which settings a rank may try."""

    device: str
    """``cpu`` or ``cuda:N``."""
    num_threads: int
    """Of one rank's arithmetic on a CPU."""
    num_ranks: int
    has_exchange: bool
    """Whether ranks average gradients."""
    batch_per_rank: int
    precision: str
    """Number format of the plain execution."""
    may_change_precision: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting of an execution, and what to try of it."""

    name: str
    """A field of ``Execution``."""
    values: tuple[str | int, ...]
    """In the order of trial; the plain value need not be among them."""


@runtime_checkable
class TunableJob(Protocol):
    """The job side of an application whose steps can be executed in several ways.

    Its sessions may be stepped in turns with others of other settings in the same process.
    """

    def settings(self, problem: Problem, facts: TuningFacts) -> Sequence[Knob]:
        """The settings that this device and so many ranks can do at all, in the order of trial.

        What decides most comes first, what takes long to prepare last. A value that is missing software
        may stand among them: it fails by name, and the search goes on.
        """


@runtime_checkable
class ResumableSession(Protocol):
    """A session that changes what all sessions of a process share, such as the number of threads."""

    def resume(self) -> None:
        """Set all that again: another session may have been stepped since. ``close`` puts it back."""
