"""What the analyzer says of two or more systems on the points that they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.interval import Interval
from saih.domain.system import Key, System
from saih.domain.trend import CurvePoint


class Matching(StrEnum):
    """Which points ask the same."""

    PLACEMENT = "placement"
    """Workload, problem, batch, precision, execution, exchange and shape of the placement agree."""
    NODES = "nodes"
    """Workload, problem, precision and number of nodes agree; each system uses its nodes as it does best."""


class View(StrEnum):
    """What the rates are divided by before they are compared."""

    SYSTEM = "per system"
    NODE = "per node"
    GPU = "per GPU"
    RANK = "per rank"
    JOULE = "per joule"
    SHARE = "per share of peak"
    PRICE = "per price"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How far two runs of one point differ on one system, as standard deviations of log(rate)."""

    own: float
    """Of each point by itself."""
    shared: float
    """Of all points of a run together."""
    freedom: float
    """Degrees of freedom of both; infinite where they were given."""
    source: str
    """Where they come from, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedPoint:
    """One question that both systems answered; ratios are A over B of rates, so above 1 A is faster.

    Intervals of ratios hold the noise from run to run.
    """

    key: Key
    labels: Mapping[str, str]
    axis_sizes: Mapping[str, float]
    records_a: tuple[str, ...]
    records_b: tuple[str, ...]
    rate_a: Interval
    rate_b: Interval
    """Samples/s, over repeats where there are several."""
    step_a_ns: Interval | None
    step_b_ns: Interval | None
    share_a: Interval | None
    share_b: Interval | None
    ratios: Mapping[View, Interval]
    """Views that this point has."""
    differs: tuple[str, ...]
    """What is not the same on both sides at this point, in words."""
    p_value: float
    """Of equal speed, corrected for all that the comparison tests (Holm)."""
    is_different: bool

    @property
    def speed_ratio(self) -> Interval:
        """Rate of A over that of B."""
        return self.ratios[View.SYSTEM]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRatio:
    """The geometric mean of the ratios of all matched points in one view."""

    view: View
    ratio: Interval | None
    num_points: int
    is_different: bool
    remark: str
    """Why the view is absent, or on how many points it rests where not on all; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPoint:
    """A matched point of a curve."""

    size: float
    label: str
    ratio: Interval
    is_different: bool
    records_a: tuple[str, ...]
    records_b: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Where one system passes the other along an axis, between two sizes at which they surely differ."""

    size: Interval
    """The sizes at which both may be equally fast."""
    faster_below: str
    faster_above: str
    below_label: str
    above_label: str
    """Rungs at which the difference is sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExponentPair:
    """How the rates of both grow: ``d log(rate) / d log(size)``, and the difference from the ratios."""

    a: Interval
    b: Interval
    difference: Interval
    """A minus B."""
    p_value: float
    is_different: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioCurve:
    """Ratios of the rates along one axis, everything else fixed."""

    axis: str
    size_label: str
    fixed: str
    points: tuple[RatioPoint, ...]
    """By growing size."""
    law: tuple[CurvePoint, ...]
    """The smooth ratio with its band; empty where the points carry none."""
    law_a: str
    law_b: str
    """The laws behind it in words; empty for none."""
    crossings: tuple[Crossing, ...]
    exponents: ExponentPair | None
    """None for fewer than three sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two of the systems on their matched points only."""

    name_a: str
    name_b: str
    matched: tuple[MatchedPoint, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    """Points that the other system lacks, as labels."""
    near_misses: tuple[str, ...]
    """Points that would match but for something, in words."""
    differences: tuple[str, ...]
    """What differs between the systems, one sentence per fact."""
    views: tuple[ViewRatio, ...]
    """One for each view, in the order of ``View``."""
    curves: tuple[RatioCurve, ...]
    noise: Noise

    @property
    def geometric_mean(self) -> Interval | None:
        """Of the speed ratios; None without matched points."""
        return self.views[0].ratio

    @property
    def is_different(self) -> bool:
        """Whether the mean speed surely differs."""
        return self.views[0].is_different


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two or more systems, each against each, in the order in which they were given."""

    systems: tuple[System, ...]
    matching: Matching
    pairs: tuple[Pair, ...]
    level: float
    """Of all intervals."""
    num_tests: int
    """Questions of equality that share the one error rate of ``1 - level``."""
