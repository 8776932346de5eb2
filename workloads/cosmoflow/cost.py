"""CosmoFlow's arithmetic side: what can be built, what a step of it costs, how it is called."""

from dataclasses import dataclass
from functools import lru_cache

from augment.problem import Problem, ProblemError
from cosmology.architecture import Architecture
from workloads.cosmoflow.data_sizes import DATA_SIZES
from workloads.cosmoflow.memory import FLOAT_BYTES, peak_memory_bytes
from workloads.cosmoflow.model_shape import MODEL_SIZES
from workloads.cosmoflow.operations import step_operations
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.precision import Precision
from workloads.protocol import TRAINING, UNDIVIDED, Activity, Axis, Cost, Degrees, Operation

AXES = (
    Axis(name="data", sizes=DATA_SIZES, size_label="data set [bytes]"),
    Axis(name="model", sizes=MODEL_SIZES, size_label="training FLOP per input voxel [FLOP]"),
)


_PARTICLE_STEPS_PER_CORE_S = 1.0e6
"""Particles moved by one step in one second of a core; a core shared by two ranks moved 1.3e6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmoFlow:
    """Training of a 3D CNN that reads cosmological parameters out of simulated universes."""

    name: str = "cosmoflow"
    axes: tuple[Axis, ...] = AXES
    activity: Activity = TRAINING

    def check(self, problem: Problem) -> None:
        """Do nothing for a problem that can be built.

        Raises:
            ProblemError: otherwise, with all that is wrong at once and what would do.
        """
        CosmoFlowShape.from_problem(problem)

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Analytic cost of one training step on one rank.

        The data axis is measured by the uncompressed bytes of the data set, the model axis by the FLOPs
        of a training step per sample and input voxel, which hardly depends on the resolution.

        Raises:
            ProblemError: for a problem that cannot be built, a batch below 1, an unknown precision, or ranks
                that shall divide the network.
        """
        shape = CosmoFlowShape.from_problem(problem)
        _check_degrees(degrees)
        if batch_per_rank < 1:
            raise ProblemError(f"batch_per_rank is {batch_per_rank}; give a whole number of at least 1.")
        data, simulated = shape.data, shape.dataset(seed=0)
        network = _network_cost(shape.architecture(), batch_per_rank, Precision.named(precision))
        return Cost(
            operations=network.operations,
            num_parameters=network.num_parameters,
            samples_per_step=batch_per_rank,
            gradient_bytes=FLOAT_BYTES * network.num_parameters,
            input_bytes=batch_per_rank * data.sample_bytes,
            dataset_bytes=data.dataset_bytes,
            peak_memory_bytes=network.peak_memory_bytes,
            axis_sizes={
                "data": float(data.dataset_bytes),
                "model": network.flops / (batch_per_rank * shape.resolution**3),
            },
            dataset_files=2 * simulated.num_universes + 1,
            dataset_core_s=simulated.num_particle_steps / _PARTICLE_STEPS_PER_CORE_S,
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Short label of the problem's rung: ``64^3 x 4, 512 samples`` or ``width 16, depth 1``.

        Raises:
            ProblemError: for a problem that cannot be built, or an unknown axis.
        """
        shape = CosmoFlowShape.from_problem(problem)
        if axis == "model":
            return f"width {shape.width}, depth {shape.depth}"
        if axis == "data":
            origin = f" of {shape.universes} universes" if "universes" in problem.data else ""
            return f"{shape.resolution}^3 x {shape.channels}, {shape.samples} samples{origin}"
        names = ", ".join(known.name for known in self.axes)
        raise ProblemError(f"axis {axis!r} is unknown to cosmoflow; its axes are {names}.")


def _check_degrees(degrees: Degrees) -> None:
    for name in ("tensor_parallel", "pipeline_parallel"):
        if getattr(degrees, name) != 1:
            raise ProblemError(
                f"{name} is {getattr(degrees, name)}, but every rank of cosmoflow trains the whole network; "
                "set it to 1."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _NetworkCost:
    """What a step costs by the network alone, whatever the data set."""

    operations: tuple[Operation, ...]
    flops: int
    num_parameters: int
    peak_memory_bytes: int


@lru_cache(maxsize=1024)
def _network_cost(architecture: Architecture, batch: int, precision: Precision) -> _NetworkCost:
    """Found once: plans and analyses of many points ask for that of each network again and again."""
    operations = step_operations(architecture, batch, precision)
    return _NetworkCost(
        operations=operations,
        flops=sum(operation.flops for operation in operations),
        num_parameters=architecture.num_parameters,
        peak_memory_bytes=peak_memory_bytes(architecture, batch, precision),
    )
