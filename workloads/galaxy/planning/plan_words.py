"""A plan in words: who does what, and what that is foreseen to take; arithmetic only."""

from collections.abc import Iterator

from workloads.galaxy.forecasting.forecast import Forecast
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture

_MS, _S, _MB = 1e6, 1e9, 1e6
_S_FROM = 10 * _S
_KINDS = {
    Strategy.HYBRID: "hybrid parallelism (heads and columns shared, rows in between)",
    Strategy.TENSOR: "tensor parallelism (heads and columns shared)",
    Strategy.SEQUENCE: "sequence parallelism (rows shared, all weights on every device)",
    Strategy.PIPELINE: "a pipeline of layers",
    Strategy.LOCAL: "one device alone",
}


def plan_words(
    architecture: TransformerArchitecture, plan: ParallelPlan, cluster: ClusterProfile, foreseen: Forecast
) -> tuple[str, ...]:
    """Sentences on the plan, its parts, and its forecast."""
    busiest, sending = max(foreseen.compute_ns), max(foreseen.link_ns, default=0.0)
    foretold = (
        f"foreseen {_time(foreseen.latency_ns)}; the busiest device computes {_time(busiest)}, the busiest "
        f"link sends {_time(sending)}; no schedule of these parts takes "
        f"less than {_time(foreseen.bound_ns)}."
    )
    return (
        f"{_KINDS[plan.strategy]}: {'; '.join(_parts(architecture, plan, cluster))}{_rest(plan, cluster)}.",
        foretold,
        f"memory: {', '.join(f'{num_bytes / _MB:.4g} MB' for num_bytes in foreseen.memory_bytes)}.",
    )


def _parts(
    architecture: TransformerArchitecture, plan: ParallelPlan, cluster: ClusterProfile
) -> Iterator[str]:
    """What each device has, in the order of the ring."""
    for part in plan.parts:
        name = cluster.devices[part.device].name
        if plan.strategy in (Strategy.HYBRID, Strategy.TENSOR):
            heads = len(part.share.kv_heads) * architecture.heads_per_kv
            yield f"{name} {_counted(heads, 'head')}, {_counted(len(part.share.ffn_columns), 'column')}"
        elif plan.strategy is Strategy.PIPELINE:
            yield f"{name} {_counted(len(part.layers), 'layer')}"
        elif plan.strategy is Strategy.SEQUENCE:
            total = sum(other.row_weight for other in plan.parts)
            yield f"{name} {100 * part.row_weight / total:.3g} % of the rows"
        else:
            yield name


def _rest(plan: ParallelPlan, cluster: ClusterProfile) -> str:
    """Tiles and wire format where they say something, and who takes no part."""
    words = []
    if plan.strategy is Strategy.HYBRID and len(plan.parts) > 1:
        words.append(f"{_counted(plan.num_tiles, 'tile')} each")
    if plan.wire is not WireFormat.EXACT and len(plan.parts) > 1:
        words.append(f"{plan.wire} on links")
    idle = [device.name for number, device in enumerate(cluster.devices) if number not in plan.devices]
    if idle:
        words.append(f"without {', '.join(idle)}")
    return f"; {', '.join(words)}" if words else ""


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _time(duration_ns: float) -> str:
    """In milliseconds up to ten seconds."""
    return f"{duration_ns / _MS:.4g} ms" if duration_ns < _S_FROM else f"{duration_ns / _S:.4g} s"
