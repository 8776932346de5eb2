"""Energon's arithmetic side: what can be built and divided, what a step of it costs, how it is called."""

from dataclasses import dataclass

from augment.problem import Problem, ProblemError
from workloads.activity import INFERENCE, Activity
from workloads.energon.memory import layer_weights, parked_bytes, peak_memory_bytes
from workloads.energon.operations import exchanges, step_operations
from workloads.energon.passes import pass_sums
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.energon.shapes import DATA_SIZES, MODEL_SIZES, EnergonShape
from workloads.precision import SERVING, Precision
from workloads.protocol import UNDIVIDED, Axis, Cost, Degrees
from workloads.transformer.split import tensor_shares
from workloads.transformer.weight_names import num_parameters

AXES = (
    Axis(
        name="data",
        sizes=DATA_SIZES,
        size_label="rows of linear layers per sequence and step",
        may_be_zero=("packed", "new_tokens"),
    ),
    Axis(name="model", sizes=MODEL_SIZES, size_label="weights of all layers", may_be_zero=("parked",)),
)
_MOST_SEQUENCES = 10**6
"""Of one step: more are not spelt out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energon:
    """Inference of a Transformer whose layers several ranks share."""

    name: str = "energon"
    axes: tuple[Axis, ...] = AXES
    activity: Activity = INFERENCE

    def check(self, problem: Problem) -> None:
        """Do nothing for a problem that can be built.

        Raises:
            ProblemError: otherwise, with all that is wrong at once and what would do.
        """
        EnergonShape.from_problem(problem)

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Analytic cost of one step on the mean rank of a replica; its peak memory is that of the fullest.

        The data axis is measured by the rows that linear layers work on for each sequence of a pass, padding
        included where it is worked on; the model axis by the weights of all layers, each of which every row
        uses once. Neither depends on the batch or on who shares the work.

        Raises:
            ProblemError: for a problem that cannot be built or divided, a batch below 1, too many sequences,
                or an unknown precision.
        """
        _check_degrees(degrees)
        shape = EnergonShape.from_problem(problem)
        architecture, itemsize = shape.architecture, Precision.named(precision, SERVING).itemsize
        _check_batch(shape, batch_per_rank)
        plan = engine_plan(shape, degrees)
        sums = pass_sums(shape, batch_per_rank)
        exchanged = exchanges(architecture, plan, itemsize, sums)
        return Cost(
            operations=step_operations(architecture, plan, itemsize, sums),
            num_parameters=num_parameters(architecture),
            samples_per_step=batch_per_rank * shape.num_batches,
            gradient_bytes=0,
            input_bytes=0,
            dataset_bytes=0,
            peak_memory_bytes=peak_memory_bytes(shape, plan, batch_per_rank, itemsize),
            axis_sizes={
                "data": shape.mean_rows,
                "model": float(_layer_weights(shape)),
            },
            dataset_files=0,
            ranks_per_replica=degrees.num_ranks,
            exchanged_bytes=exchanged.num_bytes,
            num_exchanges=exchanged.num_exchanges,
            awaited_bytes=exchanged.awaited_bytes,
            num_awaited=exchanged.num_awaited,
            parked_bytes=parked_bytes(shape, plan, itemsize),
            most_degrees=_most_degrees(shape),
            techniques=_techniques(shape),
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Short label of the problem's rung: ``128 tokens, 50 % real, padded`` or ``gpt2-124m``.

        Raises:
            ProblemError: for a problem that cannot be built, or an unknown axis.
        """
        shape = EnergonShape.from_problem(problem)
        if axis == "model":
            return shape.model_label
        if axis == "data":
            return shape.data_label
        names = ", ".join(known.name for known in self.axes)
        raise ProblemError(f"axis {axis!r} is unknown to energon; its axes are {names}.")


def engine_plan(shape: EnergonShape, degrees: Degrees) -> EnginePlan:
    """How the ranks of a replica share the model.

    Raises:
        ProblemError: when it has too few heads or layers for them, or fewer layers than are parked.
    """
    return plan_engine(
        shape.architecture,
        tensor_parallel=degrees.tensor_parallel,
        pipeline_parallel=degrees.pipeline_parallel,
        is_packed=shape.is_packed,
        num_parked=shape.num_parked,
    )


def _most_degrees(shape: EnergonShape) -> Degrees:
    """Each rank has a head of keys and values, and each stage a layer, or as many as are parked."""
    architecture = shape.architecture
    return Degrees(
        tensor_parallel=min(architecture.num_kv_heads, architecture.ffn_size, architecture.vocab_size),
        pipeline_parallel=architecture.num_layers // max(1, shape.num_parked),
    )


def _techniques(shape: EnergonShape) -> dict[str, str]:
    padding = {"padding": "left out" if shape.is_packed else "worked on"}
    return padding | ({"parked layers": str(shape.num_parked)} if shape.num_parked else {})


def _layer_weights(shape: EnergonShape) -> int:
    (whole,) = tensor_shares(shape.architecture, 1)
    return shape.architecture.num_layers * layer_weights(shape.architecture, whole)


def _check_degrees(degrees: Degrees) -> None:
    if degrees.spatial_parallel != 1:
        raise ProblemError(
            f"spatial_parallel is {degrees.spatial_parallel}, but energon has no grids for ranks to share; "
            "give 1, and divide the model by tensor_parallel or pipeline_parallel."
        )


def _check_batch(shape: EnergonShape, batch: int) -> None:
    if batch < 1:
        raise ProblemError(f"batch_per_rank is {batch}; give a whole number of at least 1.")
    if batch * shape.num_batches > _MOST_SEQUENCES:
        raise ProblemError(
            f"batch_per_rank x batches = {batch} x {shape.num_batches} sequences in one step; "
            f"give at most {_MOST_SEQUENCES}."
        )
