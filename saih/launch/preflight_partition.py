"""What a partition cannot do for some placements. Pure."""

from collections.abc import Callable, Iterator, Sequence

from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.slurm_text import Node, Partition

_MAX_UNRESOLVED = 8
"""Each may take seconds, and so many are no accident."""
_WITHOUT_ADDRESS = ("~", "#", "%", "$", "@")
"""Marks in sinfo(1) of nodes that are switched off or on, whose address is not known yet."""


def partition_problems(
    site: Site,
    placements: Sequence[Placement],
    partitions: Sequence[Partition],
    resolves: Callable[[str], bool],
) -> Iterator[str]:
    """Why the site's partition cannot run these placements; ``resolves``: whether an address is found."""
    partition = _wanted(site, partitions)
    if partition is None:
        yield _unknown(site, partitions)
        return
    if not partition.is_up:
        yield f"the partition {partition.name} is down: name another `partition`, or wait."
    longest_s = partition.max_time_s
    if longest_s is not None and site.max_time_s > longest_s:
        yield (
            f"max_time_h is {site.max_time_s / 3600:g}, but the partition {partition.name} takes jobs of at "
            f"most {longest_s / 3600:g} h: set `max_time_h: {longest_s / 3600:g}`."
        )
    for placement in dict.fromkeys(placements):
        yield from _placement_problems(site, placement, partition)
    yield from _address_problems(partition, max((one.nodes for one in placements), default=1), resolves)


def _wanted(site: Site, partitions: Sequence[Partition]) -> Partition | None:
    named = [
        one for one in partitions if one.name == site.partition or (not site.partition and one.is_default)
    ]
    return named[0] if named else None


def _unknown(site: Site, partitions: Sequence[Partition]) -> str:
    valid = ", ".join(sorted(one.name for one in partitions)) or "none"
    if not site.partition:
        return f"the system has no default partition: name a `partition` (valid are {valid})."
    return f"there is no partition {site.partition!r}: valid are {valid}."


def _placement_problems(site: Site, placement: Placement, partition: Partition) -> Iterator[str]:
    what = f"the placement {placement.label}"
    if site.max_nodes is not None and placement.nodes > site.max_nodes:
        yield f"{what} is over `max_nodes: {site.max_nodes}` of the site."
    if placement.nodes > len(partition.nodes):
        yield f"{what} is more than the {len(partition.nodes)} nodes of the partition {partition.name}."
        return
    cores = placement.ranks_per_node * placement.threads_per_rank
    most_cores = max(node.cores for node in partition.nodes)
    if cores > most_cores:
        yield (
            f"{what} needs {placement.ranks_per_node} ranks x {placement.threads_per_rank} threads = {cores} "
            f"cores on each node, which have {most_cores}: use fewer ranks_per_node or threads_per_rank."
        )
    gpus, most_gpus = placement.gpus_per_node, max(node.gpus for node in partition.nodes)
    if gpus > most_gpus:
        yield (
            f"{what} needs {placement.ranks_per_node} ranks x {placement.gpus_per_rank} GPUs = {gpus} "
            f"GPUs on each node, which have {most_gpus}: use fewer ranks_per_node, or another partition."
        )
    fitting = [node for node in partition.nodes if node.cores >= cores and node.gpus >= gpus]
    if 0 < len(fitting) < placement.nodes and cores <= most_cores and gpus <= most_gpus:
        yield (
            f"{what} needs {placement.nodes} nodes with {cores} cores and {gpus} GPUs; "
            f"{len(fitting)} of the partition {partition.name} have these."
        )


def _address_problems(
    partition: Partition, num_needed: int, resolves: Callable[[str], bool]
) -> Iterator[str]:
    """Enough nodes must have an address that is found; no more are looked up than that takes."""
    lost: list[Node] = []
    num_found = 0
    for node in partition.nodes:
        if num_found >= num_needed:
            return
        if node.state.endswith(_WITHOUT_ADDRESS) or resolves(node.address):
            num_found += 1
        else:
            lost.append(node)
        if len(lost) >= _MAX_UNRESOLVED:
            break
    if lost and num_found < num_needed:
        named = ", ".join(f"{node.name} ({node.address})" for node in lost)
        yield (
            f"the addresses of these nodes of the partition {partition.name} are not found: {named}; "
            f"{num_needed} nodes are needed: ask the administrators, or name another partition."
        )
