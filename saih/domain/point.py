"""A point: one problem on one placement, and everything else that decides its run."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from augment.problem import Problem
from saih.domain.errors import UsageError
from saih.domain.supply import FROM_DATA_FOLDER, Supply
from workloads.execution import PLAIN, TUNED, TUNED_AT_PRECISION, Execution
from workloads.protocol import Degrees

SCHEMA_VERSION = 1
Device = Literal["cpu", "cuda"]
Exchange = Literal["none", "ddp", "horovod"]
Binding = Literal["none", "core"]
Meeting = Literal["never", "gradients", "division"]
"""What ranks wait for each other for: nothing, gradients, or their parts of what they divide."""
_MOST_SEARCH_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the ranks of a point run and how they divide the work."""

    nodes: int = 1
    ranks_per_node: int = 1
    threads_per_rank: int = 1
    device: Device = "cpu"
    data_parallel: int = 1
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    spatial_parallel: int = field(default=1, metadata={"came_later": True})
    """Ranks that share every sample."""
    gpus_per_rank: int = field(default=1, metadata={"came_later": True})
    """Devices of each rank on ``cuda``; on ``cpu`` it says nothing."""
    binding: Binding = field(default="none", metadata={"came_later": True})
    """``core``: each rank keeps to as many cores of its own as it has threads."""

    def __post_init__(self) -> None:
        degrees = {
            "data": self.data_parallel,
            "tensor": self.tensor_parallel,
            "pipeline": self.pipeline_parallel,
        }
        if self.spatial_parallel != 1:
            degrees["spatial"] = self.spatial_parallel
        product = math.prod(degrees.values())
        if product != self.num_ranks:
            raise UsageError(
                f"the placement has {self.nodes} nodes x {self.ranks_per_node} ranks = {self.num_ranks} "
                f"ranks, but {' x '.join(degrees)} degrees are {' x '.join(map(str, degrees.values()))} = "
                f"{product}",
                "make both products equal.",
            )

    @property
    def num_ranks(self) -> int:
        """Ranks over all nodes."""
        return self.nodes * self.ranks_per_node

    @property
    def degrees(self) -> Degrees:
        """How ranks divide one replica of the model, or its samples."""
        return Degrees(
            tensor_parallel=self.tensor_parallel,
            pipeline_parallel=self.pipeline_parallel,
            spatial_parallel=self.spatial_parallel,
        )

    @property
    def gpus_per_node(self) -> int:
        """GPUs that the ranks of one node use."""
        return self.ranks_per_node * self.gpus_per_rank if self.device == "cuda" else 0

    @property
    def label(self) -> str:
        """Short text such as ``1 node x 2 ranks x 1 thread (cpu)``, with the degrees of dividing."""
        degrees = (
            ("tensor", self.tensor_parallel),
            ("pipeline", self.pipeline_parallel),
            ("spatial", self.spatial_parallel),
        )
        divided = "".join(f", {name} {degree}" for name, degree in degrees if degree > 1)
        return f"{self.seats_label[:-1]}{divided})"

    @property
    def seats(self) -> "Placement":
        """The same ranks where each holds the whole model and whole samples."""
        return replace(
            self, data_parallel=self.num_ranks, tensor_parallel=1, pipeline_parallel=1, spatial_parallel=1
        )

    @property
    def seats_label(self) -> str:
        """The label of the ranks alone: what a machine can do on them does not depend on what they divide."""
        counts = (
            (self.nodes, "node"),
            (self.ranks_per_node, "rank"),
            (self.threads_per_rank, "thread"),
        )
        words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts]
        extra = f", {self.gpus_per_rank} GPUs a rank" if self.gpus_per_node > self.ranks_per_node else ""
        bound = ", bound" if self.binding == "core" else ""
        return f"{' x '.join(words)} ({self.device}{extra}{bound})"

    @property
    def definition(self) -> dict[str, Any]:
        """All that decides the run, as plain JSON values.

        Fields that came later are left out at their defaults, so that points measured before keep their ids.
        """
        values = {one: getattr(self, one.name) for one in fields(self)}
        return {
            one.name: value
            for one, value in values.items()
            if not one.metadata.get("came_later") or value != one.default
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long to measure: repeat until the median step is known well enough, or the budget is spent."""

    warmup_steps: int = 3
    min_steps: int = 10
    max_steps: int = 200
    relative_width: float = 0.02
    """Asked full width of the 95 % interval of the median step, relative to the median."""
    budget_s: float = 20.0
    """Most seconds of measured steps for one point; warm-up is not counted."""

    @property
    def search_budget_s(self) -> float:
        """Most seconds of measured windows in which the settings of one point are searched."""
        return min(_MOST_SEARCH_S, self.budget_s)


class _Named:
    """Keeps the id of a point once it was asked for: sweeps of many points ask often."""

    __slots__ = ("_point_id",)
    _point_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(_Named):
    """One problem on one placement; ``point_id`` is the hash of exactly what decides the run."""

    workload: str
    problem: Problem
    batch_per_rank: int
    precision: str
    exchange: Exchange
    placement: Placement
    timing: Timing
    seed: int
    schema_version: int = field(default=SCHEMA_VERSION)
    execution: Execution = field(default=PLAIN, metadata={"came_later": True})
    """How its steps are executed; of a searched one the settings are in the record's notes."""
    supply: Supply = field(default=FROM_DATA_FOLDER, metadata={"came_later": True})
    """Where its batches come from."""

    @property
    def asked_precision(self) -> str:
        """Number format of its products, as far as it is known before it runs; a search may narrow it."""
        return self.execution.precision or self.precision

    @property
    def run_words(self) -> str:
        """Number format and execution: ``float32``, ``reference (float32)``, ``tuned from float32``."""
        if self.execution == PLAIN:
            return self.precision
        if self.execution.name == TUNED.name:
            return f"tuned from {self.precision}"
        if self.execution.name == TUNED_AT_PRECISION.name:
            return f"tuned at {self.precision}"
        label = self.execution.label
        return label if self.execution.precision in label.split(", ") else f"{label} ({self.asked_precision})"

    @property
    def ranks_that_meet(self) -> int:
        """Ranks that wait for each other: all where they exchange gradients, else those of one replica.

        The i-th such group has those from ``i * ranks_that_meet`` on.
        """
        return self.placement.num_ranks if self.exchange != "none" else self.placement.degrees.num_ranks

    @property
    def meeting(self) -> Meeting:
        """What the ranks wait for each other for."""
        if self.ranks_that_meet == 1:
            return "never"
        return "division" if self.exchange == "none" else "gradients"

    @property
    def definition(self) -> dict[str, Any]:
        """All that decides the run, as plain JSON values.

        The execution and the supply are left out at their defaults, so that points measured before keep
        their ids.
        """
        execution = {} if self.execution == PLAIN else {"execution": asdict(self.execution)}
        supply = {} if self.supply == FROM_DATA_FOLDER else {"supply": asdict(self.supply)}
        return (
            execution
            | supply
            | {
                "schema_version": self.schema_version,
                "workload": self.workload,
                "data": dict(self.problem.data),
                "model": dict(self.problem.model),
                "batch_per_rank": self.batch_per_rank,
                "precision": self.precision,
                "exchange": self.exchange,
                "placement": self.placement.definition,
                "timing": {one.name: getattr(self.timing, one.name) for one in fields(self.timing)},
                "seed": self.seed,
            }
        )

    @property
    def point_id(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the canonical definition."""
        try:
            return self._point_id
        except AttributeError:
            text = json.dumps(self.definition, sort_keys=True, separators=(",", ":"), allow_nan=False)
            object.__setattr__(self, "_point_id", hashlib.sha256(text.encode()).hexdigest()[:16])
            return self._point_id
