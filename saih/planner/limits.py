"""What the points of a plan claim of the machine's room, and why one is refused."""

from dataclasses import dataclass, field

from augment.problem import Shape
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point
from saih.domain.site import Site
from saih.domain.sweep import Resource, Shortage
from workloads.protocol import Cost

RUNTIME_BYTES_PER_RANK = 400_000_000
"""Allowance for one rank before any tensor: Python, torch, MPI and a process group. On a CPU with torch
2.13 these were 305 MB resident, a third of it shared by two ranks; other builds of torch are larger."""
_WAITING = ("waiting batches", "lower batch_per_rank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a point cannot run; with the bytes where it is for want of them."""

    reason: str
    shortage: Shortage | None = None


@dataclass(slots=True, kw_only=True)
class Claims:
    """What the points so far need on disk: data sets stay, parked layers are there while a point runs."""

    limits: Limits
    data_sets: dict[Shape, int] = field(default_factory=dict)
    parked_bytes: int = 0
    """Of the point that parks most."""

    def refusal(self, point: Point, cost: Cost) -> Refusal | None:
        """Why there is no room for the point; None where there is, and it is claimed."""
        reason = (
            _seat_refusal(point.placement, self.limits)
            or _memory_refusal(point.placement, cost, self.limits)
            or _making_refusal(point, cost, self.limits)
            or self._disk_refusal(point, cost)
        )
        if reason is None:
            self.data_sets[point.problem.data] = _disk_bytes(cost)
            self.parked_bytes = max(self.parked_bytes, parked_on_disk(point, cost))
        return reason

    def _disk_refusal(self, point: Point, cost: Cost) -> Refusal | None:
        room, parked_bytes = self.limits.disk_bytes, parked_on_disk(point, cost)
        claimed, new_bytes = sum(self.data_sets.values()), _disk_bytes(cost)
        if point.problem.data in self.data_sets:
            new_bytes = 0
        needed = claimed + new_bytes + max(parked_bytes, self.parked_bytes)
        if room is None or needed <= room:
            return None
        before = in_bytes(needed - new_bytes)
        own = in_bytes(new_bytes)
        what = f"its data set of {own} and the {before} of the points before it need"
        if parked_bytes:
            what = (
                f"the layers that its {point.placement.num_ranks} ranks park take {in_bytes(parked_bytes)} "
                f"in files, which beside {in_bytes(claimed + new_bytes)} of data sets is"
            )
        reason = (
            f"{what} more than the {in_bytes(room)} there are on the disk of the data folder; free some"
            f"{', park fewer layers' if parked_bytes else ''}, or give another --data-folder."
        )
        return _lacking("disk", needed, room, reason)


def _disk_bytes(cost: Cost) -> int:
    return cost.dataset_disk_bytes or cost.dataset_bytes


def parked_on_disk(point: Point, cost: Cost) -> int:
    """Bytes that all ranks of a point together park in files of the data folder; GPUs park on their host."""
    return 0 if point.placement.device == "cuda" else point.placement.num_ranks * cost.parked_bytes


def has_room(placement: Placement, cost: Cost, limits: Limits) -> bool:
    """Whether nodes have seats for the ranks, and nodes and GPUs memory for their tensors."""
    return not (_seat_refusal(placement, limits) or _memory_refusal(placement, cost, limits))


def limits_of(site: Site, disk_bytes: int | None) -> Limits:
    """The room on the nodes of a site, and on the disk of the data folder."""
    return Limits(
        memory_bytes_per_node=site.memory_bytes_per_node,
        device_memory_bytes=site.gpu_memory_bytes,
        disk_bytes=disk_bytes,
        cores_per_node=site.cores_per_node,
        gpus_per_node=site.gpus_per_node,
        max_nodes=site.max_nodes,
    )


def in_bytes(count: int) -> str:
    """A number of bytes with a decimal prefix, such as ``1.23 GB`` (10^9 bytes)."""
    for factor, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def _seat_refusal(placement: Placement, limits: Limits) -> Refusal | None:
    """Why the nodes have no seats for the ranks."""
    reason = _seat_reason(placement, limits)
    return Refusal(reason=reason) if reason else None


def _seat_reason(placement: Placement, limits: Limits) -> str | None:
    ranks, threads = placement.ranks_per_node, placement.threads_per_rank
    if limits.gpus_per_node is not None and placement.gpus_per_node > limits.gpus_per_node:
        return (
            f"{ranks} ranks x {placement.gpus_per_rank} GPUs = {placement.gpus_per_node} GPUs on each node, "
            f"which has {limits.gpus_per_node}; lower ranks_per_node or gpus_per_rank."
        )
    if limits.cores_per_node is not None and ranks * threads > limits.cores_per_node:
        return (
            f"{ranks} ranks x {threads} threads = {ranks * threads} cores on each node, which has "
            f"{limits.cores_per_node}; lower ranks_per_node or threads_per_rank."
        )
    if limits.max_nodes is not None and placement.nodes > limits.max_nodes:
        return (
            f"{placement.nodes} nodes for one job, which may have {limits.max_nodes}; "
            "take fewer ranks, or more on each node."
        )
    return None


def _memory_refusal(placement: Placement, cost: Cost, limits: Limits) -> Refusal | None:
    if placement.device == "cuda":
        return _device_refusal(cost, limits) or _host_refusal(placement, cost, limits)
    room, ranks = limits.memory_bytes_per_node, placement.ranks_per_node
    needed = ranks * (cost.peak_memory_bytes + RUNTIME_BYTES_PER_RANK)
    if room is None or needed <= room:
        return None
    reason = (
        f"{ranks} ranks x ({in_bytes(cost.peak_memory_bytes)} of tensors + "
        f"{in_bytes(RUNTIME_BYTES_PER_RANK)} of libraries) = {in_bytes(needed)}, "
        f"a node has {in_bytes(room)}; "
        "lower batch_per_rank or ranks_per_node, or take a smaller problem."
    )
    return _lacking("memory of a node", needed, room, reason)


def _device_refusal(cost: Cost, limits: Limits) -> Refusal | None:
    room, needed = limits.device_memory_bytes, cost.tensor_bytes("cuda")
    if room is None or needed <= room:
        return None
    reason = (
        f"one rank needs {in_bytes(needed)} of tensors, a GPU has {in_bytes(room)}; "
        "lower batch_per_rank, or take a smaller problem."
    )
    return _lacking("memory of a GPU", needed, room, reason)


def _making_refusal(point: Point, cost: Cost, limits: Limits) -> Refusal | None:
    """Why all nodes together have no memory for making one part of the data set."""
    nodes = point.placement.nodes
    if limits.memory_bytes_per_node is None or point.placement.device == "cuda":
        return None
    room, needed = nodes * limits.memory_bytes_per_node, cost.dataset_memory_bytes
    if needed <= room:
        return None
    have = "a node has" if nodes == 1 else f"{nodes} nodes have"
    reason = (
        f"making one part of its data set takes {in_bytes(needed)} of memory, {have} {in_bytes(room)}; take "
        "more nodes, or a smaller resolution."
    )
    return _lacking("memory of a node", needed, room, reason)


def _host_refusal(placement: Placement, cost: Cost, limits: Limits) -> Refusal | None:
    """Why the host has no memory for what its GPUs park there, or the batches that wait for them."""
    room, ranks = limits.memory_bytes_per_node, placement.ranks_per_node
    held = cost.parked_bytes + cost.host_bytes
    needed = ranks * (held + RUNTIME_BYTES_PER_RANK)
    if not held or room is None or needed <= room:
        return None
    what, remedy = ("parked layers", "park fewer layers") if cost.parked_bytes else _WAITING
    reason = (
        f"{ranks} ranks x ({in_bytes(held)} of {what} + "
        f"{in_bytes(RUNTIME_BYTES_PER_RANK)} of libraries) = {in_bytes(needed)}, "
        f"a node has {in_bytes(room)}; {remedy}, or lower ranks_per_node."
    )
    return _lacking("memory of a node", needed, room, reason)


def _lacking(of: Resource, needed_bytes: int, available_bytes: int, reason: str) -> Refusal:
    shortage = Shortage(of=of, needed_bytes=needed_bytes, available_bytes=available_bytes)
    return Refusal(reason=reason, shortage=shortage)
