"""Galaxy's arithmetic side: what can be built and shared, what it costs, how it is called and planned."""

from dataclasses import dataclass, replace

from augment.problem import Problem, ProblemError
from workloads.activity import INFERENCE, Activity
from workloads.galaxy.checked import is_checked
from workloads.galaxy.given_devices import CLUSTER_SIZES
from workloads.galaxy.memory import Load, memory_bytes
from workloads.galaxy.operations import Work, operations_of, request_passes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.choice import MOST_DEVICES, most_devices, plan_for, planned_for
from workloads.galaxy.shapes import MODEL_SIZES, REQUEST_SIZES, GalaxyShape
from workloads.galaxy.traffic import Links, request_traffic
from workloads.given_rates import GivenRates
from workloads.precision import SERVING, Precision
from workloads.protocol import UNDIVIDED, Axis, Cost, Degrees
from workloads.transformer.weight_names import layer_shapes, num_parameters

AXES = (
    Axis(
        name="data",
        sizes=REQUEST_SIZES,
        size_label="rows of linear layers per request",
        may_be_zero=("new_tokens",),
    ),
    Axis(
        name="model",
        sizes=MODEL_SIZES,
        size_label="weights of all layers",
        may_be_zero=("tiles",),
    ),
    Axis(
        name="cluster",
        within="data",
        sizes=CLUSTER_SIZES,
        size_label="time of 1 MB on a link [ms]",
        may_be_zero=tuple(CLUSTER_SIZES),
    ),
)
_ROWS_AT_ONCE = 8
"""Blank ones, of a device that is paced: what comes, what goes, and what is worked on."""
_MEGABYTE = 1e6
"""Its time on a link is the size of the axis of clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """Inference of one Transformer by several unequal devices."""

    name: str = "galaxy"
    axes: tuple[Axis, ...] = AXES
    activity: Activity = INFERENCE

    def check(self, problem: Problem) -> None:
        """Do nothing for a problem that can be built.

        Raises:
            ProblemError: otherwise, with all that is wrong at once and what would do.
        """
        GalaxyShape.from_problem(problem)

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Analytic cost of one request on the mean device; its peak memory is that of the fullest.

        The data axis is measured by the rows that linear layers work on for a request, the model axis by the
        weights of all layers, the cluster axis by how long a megabyte takes on a link; links that are as the
        network is have no such size.

        Raises:
            ProblemError: for a problem that cannot be built, devices that no plan fits on, several requests
                at a time, stages of a pipeline, or an unknown precision.
        """
        shape = GalaxyShape.from_problem(problem)
        _check_run(batch_per_rank, degrees)
        num_devices, itemsize = degrees.tensor_parallel, Precision.named(precision, SERVING).itemsize
        architecture = shape.architecture
        plan = plan_for(shape, num_devices, itemsize)
        links = Links(
            strategy=plan.strategy,
            num_devices=len(plan.parts),
            wire=plan.wire,
            itemsize=itemsize,
            direct_rows=plan.direct_rows,
        )
        traffic = request_traffic(architecture, links, shape.sequence, shape.num_new_tokens)
        works = (
            Work(
                architecture=architecture,
                strategy=plan.strategy,
                num_devices=num_devices,
                itemsize=itemsize,
                passes=passes,
            )
            for passes in request_passes(shape.sequence, shape.num_new_tokens)
        )
        return Cost(
            operations=tuple(operation for work in works for operation in operations_of(work)),
            num_parameters=num_parameters(architecture),
            samples_per_step=1,
            gradient_bytes=0,
            input_bytes=0,
            dataset_bytes=0,
            peak_memory_bytes=_peak_memory_bytes(shape, plan, itemsize),
            axis_sizes=_axis_sizes(shape),
            dataset_files=0,
            ranks_per_replica=num_devices,
            exchanged_bytes=traffic.num_bytes,
            num_exchanges=traffic.num_messages,
            most_degrees=Degrees(tensor_parallel=most_devices(shape)),
            techniques=_techniques(shape),
            given=_given_rates(shape, num_devices, itemsize),
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Short label of a rung: ``284 tokens``, ``bert-large, auto``, ``125 Mbit/s``.

        Raises:
            ProblemError: for a problem that cannot be built, or an unknown axis.
        """
        shape = GalaxyShape.from_problem(problem)
        labels = {
            "data": shape.request_label,
            "model": shape.model_label,
            "cluster": _cluster_label(shape),
        }
        if axis not in labels:
            names = ", ".join(known.name for known in self.axes)
            raise ProblemError(f"axis {axis!r} is unknown to galaxy; its axes are {names}.")
        return labels[axis]

    def explain(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> tuple[str, ...]:
        """How devices of given speeds and links will share a request, and why; none of measured ones.

        Raises:
            ProblemError: as ``cost``.
        """
        shape = GalaxyShape.from_problem(problem)
        _check_run(batch_per_rank, degrees)
        planned = planned_for(shape, degrees.tensor_parallel, Precision.named(precision, SERVING).itemsize)
        return () if planned is None else planned.words


def _cluster_label(shape: GalaxyShape) -> str:
    """Such as ``125 Mbit/s + 200 us, 20:10:5 GFLOP/s paced``."""
    devices = shape.devices
    links = devices.links_label if devices.has_paced_links else "links as they are"
    return f"{links}, {devices.devices_label if devices.are_paced else 'real devices'}"


def _peak_memory_bytes(shape: GalaxyShape, plan: ParallelPlan, itemsize: int) -> int:
    """What the fullest rank holds; paced ones that compute nothing, not even once, only hold rows."""
    if shape.devices.are_paced and not is_checked(shape):
        architecture = shape.architecture
        return (
            _ROWS_AT_ONCE * shape.num_rows * max(architecture.hidden_size, architecture.ffn_size) * itemsize
        )
    load = Load(num_tokens=shape.sequence, itemsize=itemsize, num_new_tokens=shape.num_new_tokens)
    return max(memory_bytes(shape.architecture, plan, load))


def _axis_sizes(shape: GalaxyShape) -> dict[str, float]:
    sizes = {"data": float(shape.num_rows), "model": float(_layer_weights(shape))}
    if shape.devices.has_paced_links:
        sizes["cluster"] = shape.devices.link.time_ns(_MEGABYTE) / 1e6
    return sizes


def _techniques(shape: GalaxyShape) -> dict[str, str]:
    devices = shape.devices
    return {
        "parallelism": str(shape.parallelism),
        "wire": str(shape.wire),
        **({"tiles": str(shape.num_tiles)} if shape.num_tiles else {}),
        "devices": devices.devices_label,
        "links": "paced" if devices.has_paced_links else "as they are",
    }


def _given_rates(shape: GalaxyShape, num_devices: int, itemsize: int) -> GivenRates | None:
    """What the problem gives, of the mean device; None where all is as it is found."""
    devices = shape.devices
    if not devices.are_paced and not devices.has_paced_links:
        return None
    rates = GivenRates()
    if devices.are_paced:
        profiles = [devices.device(device) for device in range(num_devices)]
        rates = replace(
            rates,
            flops_per_s=sum(profile.product_rates[0] for profile in profiles) / num_devices,
            memory_bytes_per_s=sum(profile.memory_rate for profile in profiles) / num_devices,
            busiest_over_mean=_busiest_over_mean(shape, num_devices, itemsize),
        )
    if devices.has_paced_links:
        link = devices.link
        rates = replace(rates, link_bytes_per_s=link.rate, link_delay_s=link.delay_ns / 1e9)
    return rates


def _busiest_over_mean(shape: GalaxyShape, num_devices: int, itemsize: int) -> float:
    """By the plan: devices that take no part do nothing, and others have more than they should."""
    planned = planned_for(shape, num_devices, itemsize)
    if planned is None:
        return 1.0
    speeds = [shape.devices.speed(device) for device in range(num_devices)]
    work = zip(planned.forecast.compute_ns, planned.plan.devices, strict=True)
    mean_ns = sum(busy_ns * speeds[device] for busy_ns, device in work) / sum(speeds)
    return max(planned.forecast.compute_ns) / mean_ns


def _layer_weights(shape: GalaxyShape) -> int:
    total = 0
    for sizes in layer_shapes(shape.architecture).values():
        size = 1
        for length in sizes:
            size *= length
        total += size
    return shape.architecture.num_layers * total


def _check_run(batch: int, degrees: Degrees) -> None:
    if batch != 1:
        raise ProblemError(f"batch_per_rank is {batch}, but galaxy answers one request at a time; give 1.")
    if degrees.pipeline_parallel != 1:
        raise ProblemError(
            f"pipeline_parallel is {degrees.pipeline_parallel}, but galaxy itself chooses how ranks share "
            "a model; give 1, and all ranks as tensor_parallel. strategy: pipeline asks for stages."
        )
    if degrees.spatial_parallel != 1:
        raise ProblemError(
            f"spatial_parallel is {degrees.spatial_parallel}, but galaxy has no grids for ranks to share; "
            "give 1, and all ranks as tensor_parallel."
        )
    if degrees.tensor_parallel > MOST_DEVICES:
        raise ProblemError(
            f"{degrees.tensor_parallel} devices shall share a model; give at most {MOST_DEVICES}."
        )
