"""A record: a point, where it ran, how it ended, and what every step took."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from saih.domain.point import Point


class Phase(StrEnum):
    """A part of a step. The additive phases sum to the step; the hidden ones may overlap them."""

    INPUT_WAIT = "input_wait"
    FORWARD = "forward"
    BACKWARD = "backward"
    COMMUNICATION = "communication"
    """Exposed exchange: what it adds to the step; where ranks divide a model, all their sums and messages."""
    OPTIMIZER = "optimizer"
    OTHER = "other"
    INPUT_PRODUCE = "input_produce"
    """Hidden: host time to read and decode one batch, whoever waited for it."""
    COMMUNICATION_TOTAL = "communication_total"
    """Hidden: the whole gradient exchange, overlapped or not."""
    STAGE_WAIT = "stage_wait"
    """Additive: waiting for ranks that hold other layers of the model, which are busy or wait themselves."""


ADDITIVE_PHASES = (
    Phase.INPUT_WAIT,
    Phase.FORWARD,
    Phase.BACKWARD,
    Phase.COMMUNICATION,
    Phase.OPTIMIZER,
    Phase.OTHER,
)
"""Those that every record has."""
STEP_PHASES = (*ADDITIVE_PHASES, Phase.STAGE_WAIT)
"""All that sum to the step. The last is absent, and 0, where no rank was ever in it: no pipeline divided the
model, or its waiting was recorded as communication, as it was before there was such a phase."""
HIDDEN_PHASES = (Phase.INPUT_PRODUCE, Phase.COMMUNICATION_TOTAL)


class Meter(StrEnum):
    """What is read beside the clock at each step of a rank; absent where the kernel does not tell.

    Work is everything of a step but the wait for its batch; the thread meant is the one that steps. Steps
    of less than 40 ms share a reading, of which each gets an equal part.
    """

    WORK_ON_CPU = "work_on_cpu"
    """Time on a processor during the work [ns]."""
    WORK_RUN_DELAY = "work_run_delay"
    """Time ready to run without a processor during the work [ns]."""
    PRODUCE_ON_CPU = "produce_on_cpu"
    """Time on a processor of the loader thread while it made this step's batch [ns]."""
    PRODUCE_RUN_DELAY = "produce_run_delay"
    """Time of that thread ready to run without a processor [ns]."""
    PRODUCE_STORAGE = "produce_storage_bytes"
    """Bytes that making the batch took from storage rather than from the page cache."""


class Outcome(StrEnum):
    """How an attempt at a point ended. Everything but COMPLETED is shown, never averaged."""

    COMPLETED = "completed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    DIVERGED = "diverged"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSummary:
    """All ranks of a point of which only the slowest, the median and the fastest were kept whole."""

    num_ranks: int
    kept: tuple[int, ...]
    """Rank numbers of the rows that were kept, in the order of the rows."""
    slowest_ns: tuple[int, ...]
    """Each step as long as its slowest rank of all [ns]."""
    median_step_ns: tuple[int, ...]
    """Median step of every rank [ns]."""
    median_ns: Mapping[Phase, tuple[int, ...]]
    """Median duration of each phase on every rank [ns]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Durations of the measured steps (no warm-up), and the loss of every step including warm-up.

    ``duration_ns[phase][row][step]``; ``step_ns[row][step]`` is the whole step of that row. Row i is
    rank i, or rank ``summary.kept[i]`` where there are too many ranks to keep them all.
    ``losses[i]`` is the mean over ranks at the i-th step since the start, warm-up included.
    """

    duration_ns: Mapping[Phase, tuple[tuple[int, ...], ...]]
    step_ns: tuple[tuple[int, ...], ...]
    losses: tuple[float, ...]
    warmup_steps: int
    summary: RankSummary | None = None
    meters: Mapping[Meter, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    """``meters[meter][row][step]``, of the rows kept whole; empty in records of before there were any."""

    @property
    def num_ranks(self) -> int:
        """All ranks, kept whole or summarised."""
        return len(self.step_ns) if self.summary is None else self.summary.num_ranks

    @property
    def num_steps(self) -> int:
        """Measured steps, warm-up not counted."""
        return len(self.step_ns[0]) if self.step_ns else 0

    @property
    def slowest_ns(self) -> tuple[int, ...]:
        """Each step as long as its slowest rank [ns]."""
        if self.summary is not None:
            return self.summary.slowest_ns
        return tuple(max(ranks) for ranks in zip(*self.step_ns, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What was measured on, as text; ``environment_id`` decides whether records may be mixed."""

    facts: Mapping[str, str]
    """Hardware and software, such as ``cpu_model`` or ``torch``; all take part in the id."""
    notes: Mapping[str, str]
    """Facts that may differ between records of one environment, such as the host name."""
    environment_id: str


def environment_id(facts: Mapping[str, str]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the canonical facts."""
    text = json.dumps(dict(facts), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What one attempt left behind: its outcome, the reason in words, and its steps if it completed."""

    outcome: Outcome
    reason: str
    """Empty for a completed attempt; else what happened, on which rank, and what to do."""
    stop_reason: str
    """Why measuring stopped, such as ``interval 1.8 % after 24 steps`` or ``budget of 20 s spent``."""
    steps: Steps | None
    notes: Mapping[str, str]
    """Such as ``cache_state``, ``bytes_read``, ``peak_memory_bytes``, ``hosts``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One attempt at one point, complete with where it ran."""

    sweep_name: str
    point: Point
    attempt: int
    environment: Environment
    result: AttemptResult
    finished_utc: str

    @property
    def record_id(self) -> str:
        """``POINT_ID/attempt-N``: also its place below the sweep's results folder."""
        return f"{self.point.point_id}/attempt-{self.attempt}"
