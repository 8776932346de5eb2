"""CosmoFlow's arithmetic side: what can be built, what a step of it costs, how it is called."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from augment.model import WIDTHS
from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import ArchitectureError
from cosmology.definition import REDSHIFT_ORDER, DatasetDefinition
from cosmology.division import SampleDivision, most_ranks
from cosmology.slabs.memory import rank_memory_bytes
from workloads.activity import TRAINING, Activity
from workloads.cosmoflow.data_sizes import DATA_SIZES, special_words
from workloads.cosmoflow.exchanges import Exchanges, step_exchanges
from workloads.cosmoflow.execution_rules import check_execution
from workloads.cosmoflow.members import MOST_DEPTH, MOST_RESOLUTION, Member, compound_member, training_flops
from workloads.cosmoflow.memory import FLOAT_BYTES, StepMemory
from workloads.cosmoflow.model_shape import MODEL_SIZES
from workloads.cosmoflow.operations import step_operations
from workloads.cosmoflow.savings import savings
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.execution import PLAIN, Execution, settled
from workloads.precision import Precision
from workloads.protocol import UNDIVIDED, Axis, Cost, Degrees, Operation
from workloads.saving import Saving
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
        execution: Execution = PLAIN,
    ) -> Cost:
        """Analytic cost of one training step on the mean rank; its peak memory is that of the fullest.

        The data axis is measured by the uncompressed bytes of the data set, the model axis by the FLOPs
        of a training step per sample and input voxel, which hardly depends on the resolution. Neither
        depends on who shares the work. How a step is executed changes its memory alone; what is searched for
        counts as the plain one, with which searches begin.

        Raises:
            ProblemError: for a problem that cannot be built, a batch below 1, an unknown precision, or ranks
                that shall divide the network, or samples that they cannot.
        """
        shape = CosmoFlowShape.from_problem(problem)
        division = _division(shape, degrees)
        if batch_per_rank < 1:
            raise ProblemError(f"batch_per_rank is {batch_per_rank}; give a whole number of at least 1.")
        data, simulated = shape.data, shape.dataset(seed=0)
        number_format = Precision.named(settled(execution, precision).precision)
        network = _network_cost(division, batch_per_rank, number_format, execution)
        return Cost(
            operations=network.operations,
            num_parameters=network.num_parameters,
            samples_per_step=batch_per_rank,
            gradient_bytes=FLOAT_BYTES * network.num_parameters,
            input_bytes=batch_per_rank * data.sample_bytes // division.num_ranks,
            dataset_bytes=data.dataset_bytes,
            peak_memory_bytes=network.peak_memory_bytes,
            host_bytes=network.host_bytes,
            axis_sizes={
                "data": float(data.dataset_bytes),
                "model": training_flops(division.architecture) / shape.resolution**3,
            },
            dataset_files=2 * simulated.num_universes + 1,
            dataset_core_s=simulated.num_particle_steps / _PARTICLE_STEPS_PER_CORE_S,
            dataset_disk_bytes=simulated.disk_bytes,
            dataset_work=_dataset_work(simulated),
            dataset_memory_bytes=rank_memory_bytes(simulated.universes, 1),
            ranks_per_replica=degrees.num_ranks,
            exchanged_bytes=network.exchanges.num_bytes,
            num_exchanges=network.exchanges.num_exchanges,
            most_degrees=Degrees(spatial_parallel=most_ranks(shape.resolution)),
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

    def savings(self, problem: Problem, *, degrees: Degrees = UNDIVIDED) -> tuple[Saving, ...]:
        """Every way to run ``problem`` in less memory of each rank, least change first.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
        return savings(problem, degrees)

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


def _division(shape: CosmoFlowShape, degrees: Degrees) -> SampleDivision:
    """How ranks share samples; nothing else of this application can be divided."""
    for name in ("tensor_parallel", "pipeline_parallel"):
        if getattr(degrees, name) != 1:
            raise ProblemError(
                f"{name} is {getattr(degrees, name)}, but every rank of cosmoflow trains the whole network; "
                "set it to 1. spatial_parallel lets ranks share every sample."
            )
    try:
        return SampleDivision(architecture=shape.architecture(), num_ranks=degrees.spatial_parallel)
    except ArchitectureError as error:
        raise ProblemError(f"spatial_parallel is {degrees.spatial_parallel}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _NetworkCost:
    """What a step costs by the network alone, whatever the data set."""

    operations: tuple[Operation, ...]
    exchanges: Exchanges
    num_parameters: int
    peak_memory_bytes: int
    host_bytes: int


@lru_cache(maxsize=1024)
def _network_cost(
    division: SampleDivision, batch: int, precision: Precision, execution: Execution
) -> _NetworkCost:
    """Found once: plans and analyses of many points ask for that of each network again and again."""
    memory = StepMemory(division=division, batch=batch, precision=precision, execution=execution)
    return _NetworkCost(
        operations=step_operations(division, batch, precision),
        exchanges=step_exchanges(division, batch, precision),
        num_parameters=division.architecture.num_parameters,
        peak_memory_bytes=memory.peak_bytes,
        host_bytes=memory.host_bytes,
    )
