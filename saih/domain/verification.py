"""Verdicts put to the test: what is switched on and off inside one run, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from saih.domain.interval import Interval
from saih.domain.moment import require_utc
from saih.domain.point import Meeting
from saih.domain.record import Phase
from saih.domain.verdict import Limit

Status = Literal["verified", "refuted", "undecided", "contended"]
FEWEST_PAIRS = 7
"""Of windows without and with an intervention: a sign-flip test of fewer can hardly reach 5 % (2 / 2^n)."""
LEAST_EFFECT = 0.1
"""Smaller effects, as shares of the step, name no cause."""


class Intervention(StrEnum):
    """What is switched on in a window. The application keeps running, and needs no rights for it."""

    SHAM = "sham"
    """A switch that changes nothing: what it seems to do is what chance does."""
    DUMMY_INPUT = "dummy input"
    """One batch, kept from before, is used again and again; none is produced."""
    NO_EXCHANGE = "no exchange"
    """Every rank keeps its own gradients."""
    COMPUTE_ONLY = "compute only"
    """Neither input nor exchange."""
    DELAYED_INPUT = "delayed input"
    """Making each batch sleeps for the dose."""
    THROTTLED_EXCHANGE = "throttled exchange"
    """Each exchange ends later by the dose, on all ranks; of those inside a step the first of each rank."""
    EXTRA_ARITHMETIC = "extra arithmetic"
    """Products of small matrices in the step, for the dose."""
    EXTRA_TRAFFIC = "extra memory traffic"
    """A triad over a buffer beyond the caches in the step, for the dose."""
    EXTRA_LAUNCHES = "extra launches"
    """Operations on one number in the step, for the dose."""
    SLOW_RANK = "one slow rank"
    """Extra arithmetic on one rank alone."""


REMOVALS = (Intervention.DUMMY_INPUT, Intervention.NO_EXCHANGE, Intervention.COMPUTE_ONLY)
LOADS = (
    Intervention.DELAYED_INPUT,
    Intervention.THROTTLED_EXCHANGE,
    Intervention.EXTRA_ARITHMETIC,
    Intervention.EXTRA_TRAFFIC,
    Intervention.EXTRA_LAUNCHES,
    Intervention.SLOW_RANK,
)
NEEDS_RANKS = frozenset(
    {
        Intervention.NO_EXCHANGE,
        Intervention.COMPUTE_ONLY,
        Intervention.THROTTLED_EXCHANGE,
        Intervention.SLOW_RANK,
    }
)
"""Where ranks never meet these change nothing, or nothing else, and are left out."""
NEEDS_GRADIENTS = frozenset({Intervention.NO_EXCHANGE, Intervention.COMPUTE_ONLY})
"""What ranks that divide a model bring to each other cannot be left out: without it there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toggle:
    """One intervention at one dose."""

    intervention: Intervention
    dose_ns: int = 0
    """What it is meant to add to every step; 0 for what removes, and for the sham."""
    rank: int | None = None
    """The rank that does it; None for all."""


NOTHING = Toggle(intervention=Intervention.SHAM)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPlan:
    """How long and how often to switch."""

    num_pairs: int = FEWEST_PAIRS
    """Of each removal and of the sham."""
    pairs_per_dose: int = 3
    doses: tuple[float, ...] = (0.15, 0.3, 0.6)
    """What loads add, as shares of the step."""
    window_s: float = 1.5
    settle_s: float = 0.2
    """Dropped after each switch, and never fewer steps than batches may lie ready."""
    interventions: tuple[Intervention, ...] = (Intervention.SHAM, *REMOVALS, *LOADS)

    def __post_init__(self) -> None:
        if self.num_pairs < 2 or self.pairs_per_dose < 1 or self.window_s <= 0 or self.settle_s < 0:
            raise ValueError(f"windows cannot be switched by {self}")
        if not self.doses or any(not 0 < dose <= 10 for dose in self.doses):
            raise ValueError(f"doses are shares of the step above 0 and up to 10, got {self.doses}")

    def with_pairs(self, num_pairs: int | None) -> "VerifyPlan":
        """So many pairs of each intervention, doses together; None: as many as there are."""
        if num_pairs is None:
            return self
        per_dose = -(-num_pairs // len(self.doses))
        return replace(self, num_pairs=num_pairs, pairs_per_dose=max(per_dose, self.pairs_per_dose))

    def chosen(self, meeting: Meeting) -> tuple[Intervention, ...]:
        """The interventions that can change anything where ranks meet so, and can be done there."""
        if meeting == "gradients":
            return self.interventions
        left_out = NEEDS_RANKS if meeting == "never" else NEEDS_GRADIENTS
        return tuple(one for one in self.interventions if one not in left_out)

    def num_pairs_of(self, meeting: Meeting) -> int:
        """Pairs of windows at one point."""
        chosen = self.chosen(meeting)
        num_loads = sum(one in LOADS for one in chosen)
        return (len(chosen) - num_loads) * self.num_pairs + num_loads * len(self.doses) * self.pairs_per_dose

    def duration_s(self, meeting: Meeting) -> float:
        """About how long one point takes [s], once its session is prepared."""
        # Loads make their windows longer, by a third in the mean.
        return 2.2 * self.num_pairs_of(meeting) * (self.window_s + self.settle_s) + 5.0


FULL = VerifyPlan()
QUICK = VerifyPlan(window_s=0.4, settle_s=0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two windows beside each other: without and with the intervention."""

    off_ns: tuple[int, ...]
    """Each step as long as its slowest rank."""
    on_ns: tuple[int, ...]
    is_on_first: bool
    took_ns: float = 0.0
    """What the intervention really added to a step, on the rank where it took longest; 0 for removals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleRun:
    """One toggle and its pairs of windows, in the order in which they were run."""

    toggle: Toggle
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuContention:
    """How contended the cores were in the windows without an intervention; None where it is not told."""

    cpu_some: float | None = None
    """Share of time in which some task of the machine waited for a core (PSI), median over windows."""
    sigma: float | None = None
    """(On a core + waiting for one) / on a core, of the step's thread, on the rank where it is largest;
    what its own loader had meanwhile does not count as waiting."""
    others: float | None = field(default=None, metadata={"came_later": True})
    """Share of the ranks' cores that other processes had; None also where a quota or the host held some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The switching of one measured point, as it was run; what it means is told by the analyzer."""

    record_id: str
    environment_id: str
    plan: VerifyPlan
    seed: int
    runs: tuple[ToggleRun, ...]
    off_phases_ns: Mapping[Phase, float]
    """Mean phases in the windows without an intervention, on the rank that works longest."""
    contention: CpuContention
    finished_utc: str
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_utc(self.finished_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleEffect:
    """What one toggle did to the step, and what it was predicted to do. Differences, in ns."""

    toggle: Toggle
    num_pairs: int
    off_ns: float
    """The typical step without it."""
    measured_ns: Interval
    """With minus without; below 0 when the step became shorter."""
    predicted_ns: Interval
    p_value: float
    """Of the sign-flip test that it does nothing, two-sided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One verdict put to the test. Numbers are None where nothing could be switched that tests it."""

    record_id: str
    limit: Limit
    status: Status
    predicted_ns: Interval | None
    """By how much the step was predicted to move; of loads, at the largest dose."""
    measured_ns: Interval | None
    ratio: Interval | None
    """Measured over predicted; of loads, the slope over all doses."""
    p_value: float | None
    doses: tuple[ToggleEffect, ...]
    """The effects of the load that tests this verdict, by dose."""
    statement: str
    """The status and the numbers that it rests on, in one sentence."""
    slope: Interval | None = None
    """Of measured over predicted effects of the doses; None where no load tests this verdict."""
    sham: ToggleEffect | None = None
    """What a switch that changes nothing seemed to do in the same run."""
    more_pairs: int = 0
    """How many more pairs of windows would decide it, about; 0 where it is decided."""
