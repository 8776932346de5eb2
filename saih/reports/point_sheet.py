"""Everything about one point of a sweep, as people and programs are shown it."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.point import Point
from saih.domain.trend import PointSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class PointCost:
    """What one step asks by arithmetic alone, measured or not."""

    flops_per_step: int
    """Over all ranks."""
    flops_per_byte: float
    """Of memory traffic, as if nothing stayed in a cache."""
    input_bytes_per_step: int
    """Over all ranks, uncompressed."""
    gradient_bytes: int
    """Of one rank."""
    dataset_bytes: int
    peak_memory_bytes_per_rank: int
    num_parameters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSheet:
    """One try at the point."""

    record_id: str
    outcome: str
    """``unfinished`` for one without an outcome (yet), ``damaged`` for one that does not verify."""
    reason: str
    stop_reason: str
    finished_utc: str
    environment_id: str
    notes: Mapping[str, str]
    folder: str
    is_shown: bool
    """Whether the numbers of the sheet are those of this attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened at each step."""

    step_ns: tuple[int, ...]
    """Each measured step, as long as its slowest rank."""
    losses: tuple[float, ...]
    """Each step since the start, the mean over ranks."""
    warmup_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSheet:
    """One point: what it asks, what became of it, what was measured and why it is not faster."""

    sweep: str
    number: int | None
    """In the tables of the report; None where it was not asked for by number."""
    point_id: str
    point: Point
    labels: Mapping[str, str]
    axis_sizes: Mapping[str, float]
    size_labels: Mapping[str, str]
    """Axis -> what its sizes count, with the unit."""
    status: str
    reason: str
    """Why it is not completed; empty where it is."""
    cost: PointCost | None
    """None for a problem that the workload refuses."""
    attempts: tuple[AttemptSheet, ...]
    summary: PointSummary | None
    """None where nothing was measured, or where it was refused."""
    course: Course | None
    warnings: tuple[str, ...]
    """What must be known before using the numbers, and what does not verify."""
    advice: str
    """What to do about it; empty for nothing."""
    next_command: str
