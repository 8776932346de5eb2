"""The plan of a problem: as the planner finds it, or as the problem asks for it; arithmetic only."""

from dataclasses import dataclass, replace
from functools import lru_cache

from workloads.galaxy.forecasting.forecast import Forecast, forecast
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, whole_share
from workloads.galaxy.planning.explanation import Rejected
from workloads.galaxy.planning.heuristic import even_split, galaxys_heuristic
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_words import plan_words
from workloads.galaxy.planning.planner import plan_cluster
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.shapes import GalaxyShape, Parallelism
from workloads.transformer.split import Span, layer_stages, tensor_shares

_STRATEGIES = {
    Parallelism.AUTO: tuple(Strategy),
    Parallelism.HYBRID: (Strategy.HYBRID,),
    Parallelism.TENSOR: (Strategy.TENSOR,),
    Parallelism.SEQUENCE: (Strategy.SEQUENCE,),
    Parallelism.PIPELINE: (Strategy.PIPELINE,),
    Parallelism.LOCAL: (Strategy.LOCAL,),
}

MOST_DEVICES = 64
_OF_ALL = (Parallelism.EVEN, Parallelism.HEURISTIC)
"""Those that leave no device out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A plan, what it is foreseen to take, and why it is this one."""

    plan: ParallelPlan
    forecast: Forecast
    words: tuple[str, ...]


def choose(shape: GalaxyShape, cluster: ClusterProfile, itemsize: int) -> Chosen:
    """How these devices answer requests of this shape.

    Raises:
        PlanError: when nothing fits, with what would.
    """
    plan, words = _found(shape, cluster, itemsize)
    foreseen = forecast(
        shape.architecture, plan, cluster, shape.sequence, itemsize, num_new_tokens=shape.num_new_tokens
    )
    return Chosen(
        plan=plan, forecast=foreseen, words=(*plan_words(shape.architecture, plan, cluster, foreseen), *words)
    )


def planned_for(shape: GalaxyShape, num_devices: int, itemsize: int) -> Chosen | None:
    """The plan of a problem that gives all its devices and links; None where some have to be measured.

    Raises:
        PlanError: when nothing fits, with what would.
    """
    return _known(shape, num_devices, itemsize)


def most_devices(shape: GalaxyShape) -> int:
    """Devices that can be given: the planner leaves out those without a part, others give each a head."""
    return min(
        MOST_DEVICES, shape.architecture.num_kv_heads if shape.parallelism in _OF_ALL else MOST_DEVICES
    )


def plan_for(shape: GalaxyShape, num_devices: int, itemsize: int) -> ParallelPlan:
    """The plan of a problem, or one like it of equal devices where these have to be measured.

    Raises:
        PlanError: when nothing fits, with what would.
    """
    if shape.parallelism in _OF_ALL and num_devices > shape.architecture.num_kv_heads:
        raise PlanError(
            f"{num_devices} devices cannot share {shape.architecture.num_kv_heads} heads of keys and values "
            f"by strategy {shape.parallelism}, which leaves none out; use at most as many, or strategy auto."
        )
    planned = _known(shape, num_devices, itemsize)
    return even_plan(shape, num_devices) if planned is None else planned.plan


def even_plan(shape: GalaxyShape, num_devices: int) -> ParallelPlan:
    """Equal shares of the kind that is asked for, hybrid where none is; each device has a head or a layer."""
    architecture = shape.architecture
    asked = Strategy.TENSOR if shape.parallelism is Parallelism.EVEN else Strategy.HYBRID
    strategy = _STRATEGIES.get(shape.parallelism, (asked,))[0] if num_devices > 1 else Strategy.LOCAL
    everything, whole = Span(0, architecture.num_layers), whole_share(architecture)
    if strategy in (Strategy.HYBRID, Strategy.TENSOR):
        shares = tensor_shares(architecture, min(num_devices, architecture.num_kv_heads))
        holds = [(share, everything) for share in shares]
    elif strategy is Strategy.PIPELINE:
        stages = layer_stages((1.0,) * architecture.num_layers, min(num_devices, architecture.num_layers))
        holds = [(whole, layers) for layers in stages]
    else:
        holds = [(whole, everything)] * (1 if strategy is Strategy.LOCAL else num_devices)
    parts = tuple(
        DevicePart(device=device, share=share, layers=layers, row_weight=1.0)
        for device, (share, layers) in enumerate(holds)
    )
    return ParallelPlan(strategy=strategy, parts=parts, num_tiles=max(shape.num_tiles, 1), wire=shape.wire)


@lru_cache(maxsize=1024)
def _known(shape: GalaxyShape, num_devices: int, itemsize: int) -> Chosen | None:
    """Found once: plans and analyses ask for the cost of each point several times."""
    cluster = shape.devices.cluster(num_devices)
    return None if cluster is None else choose(shape, cluster, itemsize)


def _found(
    shape: GalaxyShape, cluster: ClusterProfile, itemsize: int
) -> tuple[ParallelPlan, tuple[str, ...]]:
    """The plan, and the planner's own words on it."""
    architecture, kinds = shape.architecture, _STRATEGIES.get(shape.parallelism, ())
    if len(cluster.devices) == 1:
        kinds = (Strategy.LOCAL,)  # whatever is asked for, there is nobody to share with
    elif shape.parallelism is Parallelism.EVEN:
        return replace(even_split(architecture, cluster), wire=shape.wire), ()
    elif shape.parallelism is Parallelism.HEURISTIC:
        plan = galaxys_heuristic(
            architecture,
            cluster,
            shape.sequence,
            itemsize,
            num_new_tokens=shape.num_new_tokens,
            num_tiles=max(shape.num_tiles, 1),
            wire=shape.wire,
        )
        return plan, ()
    planned = plan_cluster(
        architecture,
        cluster,
        shape.sequence,
        itemsize,
        wires=(shape.wire,),
        strategies=kinds,
        num_new_tokens=shape.num_new_tokens,
        num_tiles=shape.num_tiles,
    )
    if shape.parallelism is not Parallelism.AUTO:
        return planned.plan, ()  # there was nothing else to choose from
    return planned.plan, (*planned.explanation.sentences, *map(_against, planned.rejected))


def _against(rejected: Rejected) -> str:
    return f"Not {rejected.strategy}: {rejected.reason}."
