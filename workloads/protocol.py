"""What an application offers, seen from both sides: arithmetic for planning, a session for running.

Two halves, so that a login node never needs torch:

* ``Workload``: sizes, checks and costs; arithmetic only. Listed in ``workloads.catalog``.
* ``Session``: the running application. ``produce`` makes one batch on the host (called from a loader
  thread), ``step`` works on it and names each phase as it ends. A session does not know whether
  anybody measures it: ``mark`` may do nothing at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from augment.problem import Problem
from workloads.activity import Activity
from workloads.execution import PLAIN, Execution
from workloads.given_rates import GivenRates
from workloads.means import ALONE, Means

PhaseName = Literal[
    "input_wait",
    "forward",
    "backward_part",
    "backward",
    "communication",
    "stage_wait",
    "optimizer",
    "other",
]
"""``backward_part``: of a backward pass that goes on, and whose end is marked ``backward``. ``stage_wait``:
for ranks that hold other layers of the same model, which are busy or wait themselves."""
Mark = Callable[[PhaseName], None]
"""``mark(phase)``: all work since the previous mark (or the step's begin) belonged to ``phase``."""

Progress = Callable[[str], None]
Connect = Callable[[], Any]  # Any: torch.distributed.ProcessGroup, which this module must not import
ReadClock = Callable[[], int]
"""Gives the present moment [ns]; only differences mean anything. Ranks of one host share it."""
Told = Mapping[str, Any]  # Any: plain JSON values
"""What one rank tells of its steps beside their durations."""
Batch = TypeVar("Batch")
T_contra = TypeVar("T_contra", contravariant=True)


class OpKind(StrEnum):
    """What bounds an operation at best: its arithmetic unit class."""

    CONVOLUTION = "convolution"
    MATMUL = "matmul"
    ELEMENTWISE = "elementwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of one step on one rank.

    ``flops`` counts a multiply-add as 2; ``memory_bytes`` is the least traffic to main memory (every
    operand once); ``channels`` is the geometric mean of input and output channels (or of the inner
    sizes of a product), the abscissa of the convolution and product ceilings; ``num_kernels`` is how
    many launches it takes.
    """

    name: str
    phase: PhaseName
    kind: OpKind
    flops: int
    memory_bytes: int
    num_kernels: int
    channels: float
    stretch: float = 1.0
    """How many times as long as it works on this a rank is held up by it: more than 1 in a pipeline, whose
    stages wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrees:
    """How ranks divide one model, or its samples, among themselves; each such group is one replica."""

    tensor_parallel: int = 1
    """Ranks that share every layer."""
    pipeline_parallel: int = 1
    """Groups of layers, one after the other."""
    spatial_parallel: int = 1
    """Ranks that share every sample: each holds a slab of its grid."""

    @property
    def num_ranks(self) -> int:
        """Ranks of one replica: the i-th has those from ``i * num_ranks`` on."""
        return self.tensor_parallel * self.pipeline_parallel * self.spatial_parallel


UNDIVIDED = Degrees()
"""Every rank holds the whole model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Analytic cost of one step on one rank; sizes of axes are the abscissas of trends."""

    operations: tuple[Operation, ...]
    num_parameters: int
    samples_per_step: int
    """Samples of one step of one replica; of one rank, where each holds the whole model."""
    gradient_bytes: int
    input_bytes: int
    """Bytes that one step reads from storage, uncompressed."""
    dataset_bytes: int
    peak_memory_bytes: int
    """Peak resident memory of one rank's tensors; the run-time libraries are not in it."""
    axis_sizes: Mapping[str, float]
    """For each axis, how large this problem is along it (see ``Axis.size_label``)."""
    host_bytes: int = 0
    """Part of its peak memory which a GPU leaves in memory of its host: batches that wait."""
    dataset_files: int = 1
    """Files of the data set and of what it is made from; as many parts can be made at the same time."""
    dataset_core_s: float = 0.0
    """About how long one core takes to make the data set [s]."""
    dataset_disk_bytes: int = 0
    """The most that it takes on disk, compressed, with what it is made from; 0 where that is all of them."""
    dataset_memory_bytes: int = 0
    """Memory that making one part of it takes, of all ranks that share that part."""
    dataset_work: str = ""
    """What making it takes and at which rate that is counted, in words; empty where nothing is made."""
    ranks_per_replica: int = 1
    """Ranks that work on the same samples; the operations are the mean of theirs."""
    exchanged_bytes: int = 0
    """Bytes that one rank brings to sums and messages in the middle of a step; gradients are not in it."""
    num_exchanges: int = 0
    """How many such sums and messages there are."""
    awaited_bytes: int = 0
    """Bytes besides those that other ranks bring while this one waits for them."""
    num_awaited: int = 0
    """How many sums and messages of others these are."""
    parked_bytes: int = 0
    """Bytes of the model that one rank keeps outside the memory of its device while it runs, of the rank that
    keeps most: of a CPU on the disk of the data folder, of a GPU in memory of its host."""
    most_degrees: Degrees = UNDIVIDED
    """No greater degrees can divide the model."""
    techniques: Mapping[str, str] = field(default_factory=dict)
    """What is switched besides sizes, such as ``{"padding": "none"}``; a trend never joins two of them."""
    given: GivenRates | None = None
    """What ranks are held to; None where they do what they can."""

    @property
    def flops(self) -> int:
        """Floating-point operations of one step on one rank."""
        return sum(operation.flops for operation in self.operations)

    @property
    def flops_per_sample(self) -> float:
        """Floating-point operations for one sample of one step, over all ranks that work on it."""
        return self.flops * self.ranks_per_replica / self.samples_per_step

    def tensor_bytes(self, device: str) -> int:
        """Peak bytes of one rank's tensors in the memory of what computes: ``cpu`` or ``cuda``."""
        return self.peak_memory_bytes - (self.host_bytes if device == "cuda" else 0)

    def flops_of(self, phase: PhaseName) -> int:
        """Floating-point operations of one phase of one step on one rank."""
        return sum(operation.flops for operation in self.operations if operation.phase == phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One direction in which a workload's problem grows."""

    name: str
    """``data``, ``model``, or that of a direction within one of them."""
    sizes: Mapping[str, str]
    """Each size that a rung may set, with its one-line meaning."""
    size_label: str
    """What ``Cost.axis_sizes[name]`` counts, with its unit: the label of a trend's abscissa."""
    may_be_zero: tuple[str, ...] = ()
    """Sizes of which 0 is one, such as switches."""
    within: Literal["", "data", "model"] = ""
    """In which shape of a problem its sizes stand, where that is not the one of its own name: a trend along
    that one never joins points that differ here, and the other way round."""


class Workload(Protocol):
    """The arithmetic side of an application."""

    @property
    def name(self) -> str:
        """The name by which a sweep asks for it."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes along which it grows."""

    @property
    def activity(self) -> Activity:
        """What it does in a step."""

    def check(self, problem: Problem) -> None:
        """Raise a ProblemError, with what is wrong and what would do, for one that cannot be built."""

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Analytic cost of one step on one rank, where ranks divide the model so.

        Raises:
            ProblemError: for a problem that cannot be built or divided, with what would do.
        """

    def describe(self, problem: Problem, axis: str) -> str:
        """Short label of the problem's rung on one axis, such as ``64^3 x 4``."""


class GradientExchange(Protocol):
    """How ranks agree on gradients; a workload attaches it to its model and forgets it."""

    def attach(self, model: Any) -> Any:  # Any: torch.nn.Module, which this module must not import
        """The model to call in its place; the ranks then share gradients in its backward pass."""


def alone() -> Any:
    """Where nobody is to be met: it raises a RuntimeError."""
    raise RuntimeError("a rank that is alone has no process group to join.")


def no_clock() -> int:
    """Where nobody measures: time stands."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that a session is told about where it runs."""

    rank: int
    num_ranks: int
    device: str
    """``cpu`` or ``cuda:N``."""
    precision: str
    batch_per_rank: int
    """Samples of one rank; of each replica, where ranks divide the model or the samples."""
    seed: int
    data_folder: Path
    exchange: GradientExchange
    degrees: Degrees = UNDIVIDED
    connect: Connect = alone
    """Gives the process group of torch.distributed of the ranks of this replica, which all call it and always
    get the same; it ends after the session was closed. It is the default one, unless ranks exchange gradients
    by one of all ranks."""
    clock: ReadClock = no_clock
    execution: Execution = PLAIN
    input: Literal["real", "synthetic"] = "real"
    """``synthetic``: what would be read is made in memory, in the shapes of a data set that is not there."""

    @property
    def num_replicas(self) -> int:
        """Groups of ranks that work on samples of their own."""
        return self.num_ranks // self.degrees.num_ranks

    @property
    def replica(self) -> int:
        """Which of them this rank belongs to."""
        return self.rank // self.degrees.num_ranks


class Session(Protocol[Batch]):
    """The running application on one rank."""

    def produce(self, step: int) -> Batch:
        """Host work for batch number ``step``: read, check, decode. Called from a loader thread."""

    def step(self, batch: Batch, mark: Mark) -> Any:  # Any: a device scalar; float() reads it
        """Work on one batch, naming each phase as it ends; gives the loss (or another checked scalar)."""

    def close(self) -> None:
        """Release files and memory."""


class JobSide(Protocol):
    """The side of an application that runs inside the job (torch may be imported)."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """Make this rank's missing part of the problem's data; safe to repeat and to interrupt."""

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Declare the problem's data whole. One rank calls it, after ``generate`` returned on all."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """Load the data, build the model, attach the exchange. Every rank of the job calls it."""
