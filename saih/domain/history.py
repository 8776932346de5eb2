"""One system over time: the same points in run after run, and when their speed changed."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One measurement of all points."""

    name: str
    measured_utc: str
    """When the first of its points ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A step in a series: from the run number ``place`` on it is as many times as fast as before."""

    place: int
    since: Run
    ratio: Interval
    """Rate after over rate before, between this change and its neighbours."""
    p_value: float
    """Of no change, corrected for all series of the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One point, or the mean over all, through the runs."""

    labels: Mapping[str, str]
    rates: tuple[Interval | None, ...]
    """Samples/s of each run, for all points together relative to the first run; None where it was not run."""
    record_ids: tuple[str, ...]
    changes: tuple[Change, ...]
    remark: str
    """Why nothing can be told; empty where it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Runs of one system in the order of time, and what changed between them."""

    runs: tuple[Run, ...]
    overall: Series
    """Geometric mean over the points that every run has."""
    points: tuple[Series, ...]
    differences: tuple[str, ...]
    """Facts that changed from a run to the next, one sentence each."""
    level: float
