"""Lines along the ranks axis: points that are the same but for their number of ranks."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from saih.domain.point import Exchange, Point
from saih.domain.quantity import counted
from saih.domain.scaling import Grows, RankLadder, Scaling
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import RANKS_AXIS, FailedPoint, PointSummary

Member = PointSummary | FailedPoint | DroppedPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RankLine:
    """The points of one line, each group by growing number of ranks; ``measured`` is not empty."""

    scaling: Scaling
    exchange: Exchange
    measured: tuple[PointSummary, ...]
    unmeasured: tuple[FailedPoint | DroppedPoint, ...]
    absent: tuple[int, ...]
    """Rungs of the ladder of which nothing is known."""

    @property
    def sizes(self) -> tuple[float, ...]:
        """Ranks of the measured points."""
        return tuple(float(num_ranks(point)) for point in self.measured)


def find_rank_lines(members: Sequence[Member], ladder: RankLadder | None) -> tuple[RankLine, ...]:
    """The lines among measured, failed and dropped points; none where there is one number of ranks.

    A point on one rank, which has nobody to exchange with, belongs to the line of any exchange. In strong
    scaling the global batch is the same along a line, else the batch of each rank. Without a ladder the kind
    is what the points themselves show: a batch per rank that stays is weak scaling, or throughput where
    several ranks exchange nothing; a global batch that stays is strong scaling. Two placements of equally
    many ranks are never on one line: each number of ranks per node then makes a line of its own.
    """
    if not has_rank_axis(members, ladder):
        return ()
    groups: dict[Hashable, list[Member]] = defaultdict(list)
    for member in members:
        groups[_common(member.point, "data" if ladder is None else ladder.grows)].append(member)
    lines = [
        _line(part, exchange, scaling, ladder)
        for group in groups.values()
        for exchange, exchanged in _by_exchange(group)
        for scaling, shared in _by_batch(exchanged, exchange, ladder)
        for part in _by_layout(shared)
    ]
    return tuple(sorted((line for line in lines if line is not None), key=_problem_sizes))


def _problem_sizes(line: RankLine) -> list[tuple[str, float]]:
    return sorted(item for item in line.measured[0].axis_sizes.items() if item[0] != RANKS_AXIS)


def has_rank_axis(members: Sequence[Member], ladder: RankLadder | None) -> bool:
    """Whether the points differ in their number of ranks, or were meant to."""
    if ladder is not None and len(ladder.ranks) > 1:
        return True
    return len({num_ranks(member) for member in members}) > 1


def num_ranks(member: Member) -> int:
    """Ranks of the placement of a point."""
    return member.point.placement.num_ranks


def with_ranks(labels: Mapping[str, str], point: Point) -> dict[str, str]:
    """The labels of a point with that of its rung of the ranks axis."""
    return {**labels, RANKS_AXIS: counted(point.placement.num_ranks, "rank")}


def _common(point: Point, grows: Grows) -> Hashable:
    """All that decides a run but its number of ranks, what they make, its batch and its exchange."""
    placement = point.placement
    tensor = 1 if grows == "tensor" else placement.tensor_parallel
    pipeline = 1 if grows == "pipeline" else placement.pipeline_parallel
    spatial = 1 if grows == "spatial" else placement.spatial_parallel
    alone = replace(
        placement,
        nodes=1,
        ranks_per_node=tensor * pipeline * spatial,
        data_parallel=1,
        tensor_parallel=tensor,
        pipeline_parallel=pipeline,
        spatial_parallel=spatial,
    )
    return (
        point.workload,
        point.problem.data,
        point.problem.model,
        point.precision,
        point.execution,
        point.supply,
        alone,
        point.timing,
        point.seed,
    )


def _by_exchange(group: Sequence[Member]) -> list[tuple[Exchange, list[Member]]]:
    used = {member.point.exchange for member in group if num_ranks(member) > 1}
    exchanges = sorted(used or {member.point.exchange for member in group})
    return [
        (
            exchange,
            [
                member
                for member in group
                if member.point.exchange == exchange
                or (num_ranks(member) == 1 and member.point.exchange == "none")
            ],
        )
        for exchange in exchanges
    ]


def _by_batch(
    group: Sequence[Member], exchange: Exchange, ladder: RankLadder | None
) -> list[tuple[Scaling, list[Member]]]:
    """Points whose batch per rank, or whose global batch, is the same."""
    global_batches = {_global_batch(member) for member in group}
    batches = {member.point.batch_per_rank for member in group}
    if ladder is not None:
        scaling = ladder.scaling
    elif len(batches) > 1 and len(global_batches) == 1:
        scaling = "strong"
    else:
        scaling = "throughput" if exchange == "none" else "weak"
    parts: dict[int, list[Member]] = defaultdict(list)
    for member in group:
        parts[_global_batch(member) if scaling == "strong" else member.point.batch_per_rank].append(member)
    return [(scaling, part) for part in parts.values()]


def _global_batch(member: Member) -> int:
    return member.point.batch_per_rank * member.point.placement.data_parallel


def _by_layout(group: list[Member]) -> list[list[Member]]:
    """The group itself, or its parts by ranks per node where two placements have equally many ranks.

    Nodes are filled before another is taken, so that one node with fewer ranks belongs to every layout.
    """
    placements = {member.point.placement for member in group}
    if len({placement.num_ranks for placement in placements}) == len(placements):
        return [group]
    several = {placement.ranks_per_node for placement in placements if placement.nodes > 1}
    most = max((one.ranks_per_node for one in placements if one.nodes == 1), default=0)
    layouts = sorted(several | {most} if most > max(several, default=0) else several)
    return [[member for member in group if _fits(member, per_node)] for per_node in layouts]


def _fits(member: Member, per_node: int) -> bool:
    placement = member.point.placement
    return placement.ranks_per_node == per_node or (
        placement.nodes == 1 and placement.ranks_per_node < per_node
    )


def _line(
    part: Sequence[Member], exchange: Exchange, scaling: Scaling, ladder: RankLadder | None
) -> RankLine | None:
    ordered = sorted(part, key=num_ranks)
    measured = tuple(member for member in ordered if isinstance(member, PointSummary))
    known = {num_ranks(member) for member in ordered}
    absent = tuple(ranks for ranks in ladder.ranks if ranks not in known) if ladder is not None else ()
    if not measured or len(known) + len(absent) < 2:
        return None
    return RankLine(
        scaling=scaling,
        exchange=exchange,
        measured=measured,
        unmeasured=tuple(member for member in ordered if not isinstance(member, PointSummary)),
        absent=absent,
    )
