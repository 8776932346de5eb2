"""What one execution of a point is faster than another."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionGain:
    """A point that was measured in two executions and differs in nothing else."""

    labels: Mapping[str, str]
    """Axis -> rung label, without that of the execution."""
    axis_sizes: Mapping[str, float]
    placement_label: str
    name: str
    """Label of the execution."""
    baseline: str
    """Label of the one that it is held against."""
    settings: str
    """As which it ran, in words: what differs from the plain execution."""
    ratio: Interval
    """Its samples/s over those of the baseline."""
    record_id: str
    baseline_record_id: str
