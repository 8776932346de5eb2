"""Plans as others make them: Galaxy's heuristic, and even shares; arithmetic only."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workloads.galaxy.forecasting.work_times import one_layer_ns
from workloads.galaxy.memory import Load, memory_bytes
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, shares_of
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span, divided

_MOST_ROUNDS = 8
_OVER = 1.25
"""Only a part of what a device holds are its heads and columns."""
_REFERENCE_ROWS = 128
"""Rows by which devices are called fast where no sequence is given."""


def even_split(
    architecture: TransformerArchitecture, cluster: ClusterProfile, *, strategy: Strategy = Strategy.TENSOR
) -> ParallelPlan:
    """All devices with equal shares, and the rest to the fastest. A baseline: memory is not looked at.

    Raises:
        ProblemError: when there is not one head for each.
    """
    speeds = [1.0 / one_layer_ns(architecture, device, _REFERENCE_ROWS, 4) for device in cluster.devices]
    fastest = max(_all(cluster), key=speeds.__getitem__)
    heads = _even(architecture.num_kv_heads, len(speeds), fastest)
    columns = _even(architecture.ffn_size, len(speeds), fastest)
    return _plan(architecture, strategy, heads, columns)


def galaxys_heuristic(  # noqa: PLR0913  # keywords that callers read by their names
    architecture: TransformerArchitecture,
    cluster: ClusterProfile,
    num_tokens: int,
    itemsize: int,
    *,
    num_new_tokens: int = 0,
    num_tiles: int = 1,
    wire: WireFormat = WireFormat.EXACT,
) -> ParallelPlan:
    """Shares in proportion to speed, overflow given to devices with room; all devices, tiles as told.

    After Ye et al. 2024, arXiv 2405.17245, section III-C, as far as it is known: capacity is 1 over the
    time of a whole attention and a whole MLP; rows are even; links are not looked at; first heads overflow,
    then columns.

    Raises:
        PlanError: when the model does not fit so.
    """
    load = Load(num_tokens=num_tokens, itemsize=itemsize, num_new_tokens=num_new_tokens)
    devices = _all(cluster)
    if len(devices) > architecture.num_kv_heads:
        raise PlanError(
            f"{len(devices)} devices cannot share {architecture.num_kv_heads} heads; use at most as many."
        )
    speeds = [1.0 / one_layer_ns(architecture, device, num_tokens, itemsize) for device in cluster.devices]
    heads = [len(span) for span in divided(architecture.num_kv_heads, speeds, "heads")]
    columns = [len(span) for span in divided(architecture.ffn_size, speeds, "columns")]
    budgets = [device.memory_bytes for device in cluster.devices]
    full: set[int] = set()
    for _ in range(_MOST_ROUNDS * len(devices)):
        plan = replace(_plan(architecture, Strategy.HYBRID, heads, columns), num_tiles=num_tiles, wire=wire)
        needed = memory_bytes(architecture, plan, load)
        over = [device for device in devices if needed[device] > budgets[device]]
        if not over:
            return plan
        full |= set(over)
        free = [device for device in devices if device not in full]
        if not free:
            break
        for device in over:
            part = 1.0 - budgets[device] / needed[device]
            for sizes in (heads, columns):
                _give_away(sizes, device, part, {other: speeds[other] for other in free})
    raise PlanError(
        f"the model does not fit by Galaxy's heuristic into the {sum(budgets) / 1e6:.0f} MB that "
        f"{len(devices)} devices have together; add memory or devices."
    )


def _give_away(sizes: list[int], device: int, part: float, speeds: Mapping[int, float]) -> None:
    """About a part of what a device has, and a bit more, goes to others by their speeds."""
    moved = min(sizes[device] - 1, max(1, round(sizes[device] * part * _OVER)))
    sizes[device] -= moved
    for _ in range(moved):
        sizes[min(speeds, key=lambda other: (sizes[other] + 1) / speeds[other])] += 1


def _plan(
    architecture: TransformerArchitecture, strategy: Strategy, heads: Sequence[int], columns: Sequence[int]
) -> ParallelPlan:
    parts = tuple(
        DevicePart(device=device, share=share, layers=Span(0, architecture.num_layers), row_weight=1.0)
        for device, share in enumerate(shares_of(architecture, heads, columns))
    )
    return ParallelPlan(strategy=strategy, parts=parts)


def _even(total: int, num: int, fastest: int) -> list[int]:
    sizes = [total // num] * num
    sizes[fastest] += total % num
    return sizes


def _all(cluster: ClusterProfile) -> range:
    return range(len(cluster.devices))
