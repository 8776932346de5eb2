"""A system as comparisons see it: what was measured on it, point by point, whoever measured it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from saih.domain.errors import UsageError
from saih.domain.interval import Interval
from saih.domain.moment import require_utc

Key = tuple[tuple[str, str], ...]
"""What a point asks, as sorted pairs of a name and a text. Equal keys are one question."""

PLACEMENT_PARTS = frozenset(
    {
        "ranks_per_node",
        "threads_per_rank",
        "data_parallel",
        "tensor_parallel",
        "pipeline_parallel",
        "spatial_parallel",
        "gpus_per_rank",
        "binding",
        "batch_per_rank",
        "exchange",
        "execution",
    }
)
"""Parts of a key that say how a node is used; node to node they may differ."""
ENERGY_PARTS = "energy of"
"""Fact of a point: which parts its energy was counted of."""
_LEAST_PRICE = 1e-9
"""Prices beyond this and its inverse are no prices, and their ratios may be no numbers."""


def key_of(parts: Mapping[str, str]) -> Key:
    """The key of a point.

    Names that comparisons know: ``workload``, each axis (``data``, ``model``) as canonical text,
    ``precision``, ``nodes`` and ``PLACEMENT_PARTS``; any other takes part as it is.
    """
    return tuple(sorted(parts.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one node costs for one hour."""

    per_node_hour: float
    currency: str

    def __post_init__(self) -> None:
        if not _LEAST_PRICE <= self.per_node_hour <= 1 / _LEAST_PRICE:
            raise UsageError(
                f"{self.per_node_hour} is no price of a node-hour",
                f"give a number above 0, from {_LEAST_PRICE:g} to {1 / _LEAST_PRICE:g}.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPoint:
    """One measurement on a system. Points of one system with equal keys and devices are repeats."""

    key: Key
    labels: Mapping[str, str]
    """Axis -> rung in words."""
    axis_sizes: Mapping[str, float]
    samples_per_s: Interval
    """Over all ranks."""
    flops_per_s: Interval | None
    share_of_peak: Interval | None
    """Of the peak that was measured; None without one."""
    step_ns: Interval | None
    num_ranks: int | None
    num_nodes: int | None
    num_gpus: int | None
    """0 where no GPU took part; None of these three where it is not known."""
    joules_per_sample: Interval | None
    record_id: str
    measured_utc: str
    """When it ended, ISO 8601 with a time zone; empty where it is not known."""
    device: str = ""
    placement_label: str = ""
    global_batch: int | None = None
    run: str = ""
    """The sweep or submission it comes from: points of one run may share what was special that day."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is known of this point alone, such as ``seed`` or ``staging``."""

    def __post_init__(self) -> None:
        if self.samples_per_s.low <= 0:
            raise ValueError(f"a rate is positive, got {self.samples_per_s.low} of {self.record_id}")
        if self.measured_utc:
            require_utc(self.measured_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One side of a comparison."""

    name: str
    kind: str
    """Who measured: ``saih``, ``mlperf``."""
    facts: Mapping[str, str]
    """Hardware, software, data set, and what the time holds, as text."""
    cautions: tuple[str, ...]
    """What a reader must know before comparing, one sentence each."""
    points: tuple[SystemPoint, ...]
    price: Price | None = None
    size_labels: Mapping[str, str] = field(default_factory=dict)
    """Axis -> what its sizes count, such as ``values in one sample``."""
    failed: tuple[str, ...] = ()
    """Points without a number, with the reason, one sentence each."""
    environment_id: str = ""
