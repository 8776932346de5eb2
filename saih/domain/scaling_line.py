"""What more ranks bring: lines of points that differ in their ranks alone, and how evenly ranks work."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.efficiency import PopEfficiency
from saih.domain.interval import Interval
from saih.domain.scaling import Scaling
from saih.domain.verdict import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RankBalance:
    """How evenly the ranks of a point work, from the medians of every rank.

    Work is the step without its exposed communication and without waiting for other stages: ranks that wait
    for a slower one wait there, and their whole steps are equally long.
    """

    num_ranks: int
    """Ranks that are compared: those of one replica, where ranks divide a model and replicas never meet."""
    slowest_rank: int
    mean_work_ns: float
    imbalance: float
    """Work of the slowest rank over the mean of all; 1 is even."""
    is_awaited: bool = True
    """Whether the others wait for the slowest one; ranks that exchange nothing do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRung:
    """One placement of a scaling line, held against the smallest one that was measured."""

    record_id: str
    num_ranks: int
    placement_label: str
    batch_per_rank: int
    step_ns: Interval
    samples_per_s: Interval
    speedup: Interval
    """Throughput over that of the smallest rung."""
    efficiency: Interval
    """Speed-up over the ratio of ranks; 1 is ideal."""
    share_of_peak: Interval | None
    """Of the ceiling measured at this placement; None where there is none."""
    exposed_share: Interval
    """Exposed communication as a share of the typical step."""
    exposed_ns: Interval
    communication_ns: Interval | None
    """All communication, hidden or not; None where it was not recorded."""
    balance: RankBalance | None
    limit: Limit
    pop: PopEfficiency | None = None
    computation_scaling: Interval | None = None
    """Useful rank-time of a sample at the smallest rung over that here; 1 is ideal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLine:
    """Points that differ in their number of ranks alone, and what more ranks bring."""

    scaling: Scaling
    setting: str
    """What is the same at all rungs but the sizes of the problem, in words."""
    rungs: tuple[ScalingRung, ...]
    """Measured ones, by growing number of ranks; at least one."""
    unmeasured: tuple[str, ...]
    """Rungs without a measurement, with the reason of each."""
    rises: Mapping[Limit, Interval]
    """How much more rank-time each limit takes per sample at the largest rung than at the smallest, in units
    of all rank-time per sample at the smallest; the sum is 1 / efficiency - 1."""
    rising: Limit | None
    """The limit that rises most; None where efficiency is not surely lost, or with one rung."""
    findings: tuple[str, ...]
    """Sentences with the numbers."""
