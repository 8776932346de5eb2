"""CosmoFlow's arithmetic side: what can be built, what a step of it costs, how it is called."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from augment.model import WIDTHS
from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import Architecture
from cosmology.definition import REDSHIFT_ORDER, DatasetDefinition
from cosmology.slabs.memory import rank_memory_bytes
from workloads.activity import TRAINING, Activity
from workloads.cosmoflow.data_sizes import DATA_SIZES, special_words
from workloads.cosmoflow.execution_rules import check_execution
from workloads.cosmoflow.members import MOST_DEPTH, MOST_RESOLUTION, Member, compound_member, training_flops
from workloads.cosmoflow.memory import FLOAT_BYTES, peak_memory_bytes
from workloads.cosmoflow.model_shape import MODEL_SIZES
from workloads.cosmoflow.operations import step_operations
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.execution import PLAIN, Execution
from workloads.precision import Precision
from workloads.protocol import UNDIVIDED, Axis, Cost, Degrees, Operation
from workloads.tunable import RankSetting

AXES = (
    Axis(name="data", sizes=DATA_SIZES, size_label="data set [bytes]"),
    Axis(name="model", sizes=MODEL_SIZES, size_label="training FLOP per input voxel [FLOP]"),
)


_PARTICLE_STEPS_PER_CORE_S = 1.9e6
"""Particles moved by one step in one second of a core: a universe of 128^3 in 20 steps on a force mesh twice
as fine took 22.2 s of one core (1.9e6), one of 64^3 2.1 s (2.5e6), with its start and its four outputs."""
_CHOICES: Mapping[str, Sequence[int]] = {
    "width": WIDTHS,
    "depth": range(1, MOST_DEPTH + 1),
    "resolution": tuple(2**power for power in range(3, MOST_RESOLUTION.bit_length())),
    "channels": range(1, len(REDSHIFT_ORDER) + 1),
    "samples": range(1, 10**12 + 1),
}
"""Values that a size may take when it follows from a cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CosmoFlow:
    """Training of a 3D CNN that reads cosmological parameters out of simulated universes."""

    name: str = "cosmoflow"
    axes: tuple[Axis, ...] = AXES
    activity: Activity = TRAINING
    following: tuple[str, ...] = tuple(_CHOICES)
    """Sizes that may follow from a cost."""

    def check(self, problem: Problem) -> None:
        """Do nothing for a problem that can be built.

        Raises:
            ProblemError: otherwise, with all that is wrong at once and what would do.
        """
        CosmoFlowShape.from_problem(problem)

    def check_execution(self, execution: Execution, setting: RankSetting) -> None:
        """Do nothing for an execution that such a rank may be able to do.

        Raises:
            ProblemError: otherwise, with all that it cannot do and what would do.
        """
        check_execution(execution, setting)

    def cost(
        self,
        problem: Problem,
        *,
        batch_per_rank: int,
        precision: str,
        degrees: Degrees = UNDIVIDED,
        execution: Execution = PLAIN,  # noqa: ARG002
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
            dataset_disk_bytes=simulated.disk_bytes,
            dataset_work=_dataset_work(simulated),
            dataset_memory_bytes=rank_memory_bytes(simulated.universes, 1),
            techniques=shape.options.techniques,
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Short label of the problem's rung: ``64^3 x 4, 512 samples`` or ``width 16, depth 1``.

        Raises:
            ProblemError: for a problem that cannot be built, or an unknown axis.
        """
        shape = CosmoFlowShape.from_problem(problem)
        if axis == "model":
            words = [f"width {shape.width}", f"depth {shape.depth}"]
            return ", ".join([*words, *shape.options.words])
        if axis == "data":
            origin = f" of {shape.universes} universes" if "universes" in problem.data else ""
            grids = f"{shape.resolution}^3 x {shape.channels}, {shape.samples} samples{origin}"
            return ", ".join([grids, *special_words(problem.data, shape.definition)])
        names = ", ".join(known.name for known in self.axes)
        raise ProblemError(f"axis {axis!r} is unknown to cosmoflow; its axes are {names}.")

    def choices(self, size: str, problem: Problem) -> Sequence[int]:
        """Every value of a size of ``problem`` that may follow from a cost, growing; no cost falls with them.

        Raises:
            ProblemError: for a size that cannot follow, or a problem that cannot be built.
        """
        if size not in _CHOICES:
            raise ProblemError(f"{size!r} cannot follow from a cost; use {', '.join(_CHOICES)}.")
        universes = problem.data.get("universes")
        if size != "samples" or not isinstance(universes, int):
            return _CHOICES[size]
        fewest = replace(problem, data=problem.data.with_sizes({"samples": universes}))
        definition = CosmoFlowShape.from_problem(fewest).definition
        most = universes * definition.crops_per_universe * definition.views_per_crop
        return range(universes, most + 1)

    def sample_flops(self, problem: Problem) -> float:
        """Floating-point operations for one sample of a training step.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
        return float(training_flops(CosmoFlowShape.from_problem(problem).architecture()))

    def settled(self, problem: Problem, changing: Collection[str]) -> Problem:
        """The problem with depth and width written out, if they shall change and follow from a cost so far.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
        if "flops_per_sample" not in problem.model or not {"depth", "width"} & set(changing):
            return problem
        shape = CosmoFlowShape.from_problem(problem)
        kept = {name: value for name, value in problem.model.items() if name != "flops_per_sample"}
        return replace(problem, model=Shape.of(kept, depth=shape.depth, width=shape.width))

    def compound(self, problem: Problem, phi: float) -> Problem:
        """``problem`` after ``phi`` steps of the compound knob, which doubles the FLOPs of a sample at each.

        Depth, width and resolution take a third of every doubling each; sizes are whole, so width takes what
        is left.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
        shape = CosmoFlowShape.from_problem(problem)
        base = Member(
            depth=shape.depth, width=shape.width, flops_per_sample=training_flops(shape.architecture())
        )
        grown, resolution = compound_member(
            base, phi, resolution=shape.resolution, channels=shape.channels, options=shape.options
        )
        kept = {name: value for name, value in problem.model.items() if name != "flops_per_sample"}
        return replace(
            problem,
            data=problem.data.with_sizes({"resolution": resolution}),
            model=Shape.of(kept, depth=grown.depth, width=grown.width),
        )


def _dataset_work(definition: DatasetDefinition) -> str:
    """What making a data set takes, and at which rate it is counted."""
    universes = definition.num_universes
    return (
        f"{universes} universe{'' if universes == 1 else 's'} of {definition.simulation_side}^3 particles x "
        f"{definition.num_steps} steps at {_PARTICLE_STEPS_PER_CORE_S:.1e} particle-steps/s of a core"
    )


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
