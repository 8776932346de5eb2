"""What the analyzer says: summaries of points, trends over axes, verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from saih.domain.ceiling import Ceilings
from saih.domain.crossing import Crossing
from saih.domain.efficiency import PopEfficiency
from saih.domain.energy import Energy, EnergyPart
from saih.domain.execution_gain import ExecutionGain
from saih.domain.interval import Interval
from saih.domain.normality import Placed
from saih.domain.peer import PeerForecast
from saih.domain.point import Point
from saih.domain.record import Environment, Outcome, Phase
from saih.domain.scaling_line import RankBalance as RankBalance  # noqa: PLC0414 - words of the analysis
from saih.domain.scaling_line import ScalingLine as ScalingLine  # noqa: PLC0414
from saih.domain.scaling_line import ScalingRung as ScalingRung  # noqa: PLC0414
from saih.domain.staged import Staged
from saih.domain.study import Search, Validation
from saih.domain.surface import SurfaceFinding
from saih.domain.sweep import DroppedPoint
from saih.domain.variation import Variation
from saih.domain.verdict import Limit as Limit  # noqa: PLC0414 - a word of the analysis, defined below it
from saih.domain.verification import Verification
from saih.domain.what_if import Saving
from workloads.execution import PLAIN, Execution

RANKS_AXIS = "ranks"
"""Name of the axis along which only the number of ranks grows, in labels, sizes and trends."""
EXECUTION_LABEL = "execution"
"""Name of the label by which points are told apart that are executed in different ways."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The verdict at one point. ``shares`` are of the step time and sum to 1."""

    limit: Limit
    runner_up: Limit | None
    shares: Mapping[Limit, Interval]
    evidence: tuple[str, ...]
    """Sentences with the numbers that the verdict rests on."""
    is_contended: bool = False
    """Whether others used the processors so much that no class of work may be told from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossCheck:
    """What the checked number of each step did; where a network is trained, whether it learned."""

    first: float
    last: float
    is_learning: bool | None
    """None where nothing is trained."""
    statement: str
    name: str = "loss"
    """What the number is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSummary:
    """One completed point in numbers. Rates are over all ranks."""

    point: Point
    record_id: str
    labels: Mapping[str, str]
    """Axis -> rung label, such as ``{"data": "64^3 x 4", "model": "width 16, depth 1"}``."""
    axis_sizes: Mapping[str, float]
    step_ns: Interval
    phases_ns: Mapping[Phase, Interval]
    """Median of each phase on the rank that decides each step; hidden phases included."""
    flops_per_step: float
    flops_per_s: Interval
    samples_per_s: Interval
    share_of_peak: Interval | None
    """Of the measured ceiling, or of a given one (``is_peak_given``); None without ceilings."""
    share_of_vendor_peak: Interval | None
    flops_per_byte: float
    num_parameters: int
    dataset_bytes: int
    stop_reason: str
    loss: LossCheck
    diagnosis: Diagnosis
    balance: RankBalance | None = None
    """None for one rank."""
    measured_utc: str = ""
    """When the record was finished."""
    energy: Energy | None = None
    """None where no counter could be read."""
    energy_reason: str = ""
    """Why there is no energy; empty where there is."""
    tensor_bytes: int | None = None
    """Predicted peak memory of one rank's tensors."""
    peak_memory_bytes: int | None = None
    """Measured highest resident memory of any rank's process; None where it was not recorded."""
    efficiency: PopEfficiency | None = None
    """None only in summaries that nobody computed it for."""
    variation: Variation | None = None
    """None where the steps are too few."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What the record tells of the run and a law must not join, such as ``{"input cache": "warm"}``."""
    techniques: Mapping[str, str] = field(default_factory=dict)
    """What the workload switches besides sizes; points that differ in it are on different trends."""
    gradient_bytes: int = 0
    """Exchanged by one step of one rank; 0 where nothing is exchanged."""
    input_bytes: int = 0
    """Read by one step of one rank, uncompressed; 0 where it is not known."""
    is_peak_given: bool = False
    """Whether ranks took the time of other devices in place of computing: the problem gives their peak."""
    verifications: tuple[Verification, ...] = ()
    """Verdicts put to the test by switching their causes on and off; the first is that of the point."""
    validation: Validation | None = None
    """Whether its problem was shown to be worth learning; None where nobody looked."""
    staged: Staged | None = None
    """What copying its data set to the nodes took; None where they read the data folder."""
    execution: Execution = PLAIN
    """As which it ran: of a searched one the settings that were found."""

    @property
    def precision(self) -> str:
        """The number format that its products really were in."""
        return self.execution.precision or self.point.asked_precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One component over one axis: a non-negative sum of named terms, and how far it may be trusted."""

    phase: Phase | None
    """None for the whole step."""
    terms: tuple[str, ...]
    """Such as ``("1", "x", "x log x")``."""
    coefficients: tuple[float, ...]
    """In ns, for x normalised by ``scale``."""
    scale: float
    residual: float
    """Root mean square of log(measured/fitted)."""
    text: str
    """The law in words, such as ``12.1 ms + 3.4 ms (x / 4096)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A fitted or extrapolated value with its 90 % prediction interval."""

    size: float
    interval: Interval
    is_extrapolated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a trend: passed, failed or unknown (None), with the sentence that says so."""

    name: str
    passed: bool | None
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How the step and its phases move along one axis, everything else fixed."""

    axis: str
    size_label: str
    fixed: str
    """What the other axes were fixed at, in words."""
    record_ids: tuple[str, ...]
    labels: tuple[str, ...]
    sizes: tuple[float, ...]
    step_ns: tuple[Interval, ...]
    share_of_peak: tuple[Interval | None, ...]
    total: Fit | None
    """None where the points are too few for any law; ``checks`` says so."""
    components: tuple[Fit, ...]
    step_curve: tuple[CurvePoint, ...]
    share_curve: tuple[CurvePoint, ...]
    checks: tuple[Check, ...]
    crossings: tuple[Crossing, ...] = ()
    """Where another part of the step becomes the longest, by growing size."""
    peers: tuple[PeerForecast, ...] = ()
    """Plain methods beside ours, at the end of the curve."""
    chained_error: float | None = None
    """Of the law of whole steps, to be held against those of ``peers``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyTrend:
    """How the energy of a sample moves along one axis, over the points of a trend that have one.

    All points count the same parts; where some count others, ``law`` says so and nothing is fitted.
    """

    axis: str
    size_label: str
    fixed: str
    parts: tuple[EnergyPart, ...]
    """Empty where points count different parts."""
    record_ids: tuple[str, ...]
    sizes: tuple[float, ...]
    energies: tuple[Energy, ...]
    curve: tuple[CurvePoint, ...]
    """Joules per sample; empty without a law."""
    law: str
    """In words, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedPoint:
    """A point whose every attempt failed, with the reason of the last."""

    point: Point
    labels: Mapping[str, str]
    outcome: Outcome
    reason: str
    num_attempts: int
    tensor_bytes: int | None = None
    """Predicted peak memory of one rank's tensors."""
    record_ids: tuple[str, ...] = ()
    """The records of its attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Everything that reports see of one sweep on one environment."""

    sweep_name: str
    environment: Environment
    ceilings: tuple[Ceilings, ...]
    """One for each placement that was measured; may be empty."""
    points: tuple[PointSummary, ...]
    trends: tuple[Trend, ...]
    failed: tuple[FailedPoint, ...]
    dropped: tuple[DroppedPoint, ...]
    num_planned: int
    warnings: tuple[str, ...]
    """What a reader must know before using the numbers, such as contended runs or few steps."""
    scaling: tuple[ScalingLine, ...] = ()
    """One for each line along the ranks axis; empty where the sweep has one number of ranks."""
    energy_trends: tuple[EnergyTrend, ...] = ()
    """One for each trend of which at least three points have an energy."""
    normality: tuple[Placed, ...] = ()
    """Headline figures held against local ceilings and public results; empty where nobody did."""
    savings: tuple[Saving, ...] = ()
    """What ideals and doublings would save at each point, as predicted; empty where nobody asked."""
    surfaces: tuple[SurfaceFinding, ...] = ()
    """Laws over several axes at once; empty where fewer than two of them grow, or points are too few."""
    search: Search | None = None
    """The models that learn best at each cost; None where nobody searched."""
    gains: tuple[ExecutionGain, ...] = ()
    """What one execution is faster than another, at each point that was measured in both."""
