"""How the fastest execution of a point was found: what was tried, and what each setting bought."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from saih.domain.interval import Interval
from saih.domain.moment import require_utc
from saih.domain.point import Point
from workloads.execution import PLAIN, Execution, settled

Verdict = Literal["kept", "slower", "no gain", "refused", "failed", "not tried"]
"""``no gain``: not faster beyond noise. ``refused``: its losses are not those of the plain execution."""
EXECUTION_NOTE = "execution"
"""Note of a record: the execution that ran, as JSON, under the name by which it was asked for."""
SEARCH_NOTE = "execution_search"
"""Note of a record: what was tried before it, as JSON."""
FOUND = "found"
"""Name of an execution that a search settled, while it runs."""
_NOT_DECIDING = ("schema_version", "seed", "timing")
"""Of a point: these do not change which execution is the fastest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningPlan:
    """What a user asks of searches for the fastest execution."""

    budget_s: float
    """About how long the search of one point may take [s]."""
    since_utc: str = ""
    """What was found before counts as nothing; empty where all counts."""
    has_yardsticks: bool = False
    """Whether what is found is measured beside the plain and the reference execution, whatever it takes."""
    batches: tuple[int, ...] = ()
    """Batches of one rank of which the rate is told too."""

    def __post_init__(self) -> None:
        if not 0 < self.budget_s < 1e9:
            raise ValueError(f"the budget of a search is {self.budget_s} s; give more than 0 and below 1e9.")
        if min(self.batches, default=1) < 1:
            raise ValueError(f"a batch of {min(self.batches)} samples makes no sense; give 1 or more.")
        if self.since_utc:
            require_utc(self.since_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One value of one setting, beside what was the fastest by then."""

    setting: str
    value: str
    verdict: Verdict
    gain: Interval | None
    """Step of the fastest by then over its own; None where it was not timed beside one."""
    step_ns: float | None
    """Median step of the slowest rank [ns]; None where it did not run."""
    reason: str
    """Why it was not kept; empty where the gain says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRate:
    """How many samples a second the found execution trains with another batch."""

    batch_per_rank: int
    samples_per_s: Interval | None
    """Of all ranks together; None where it did not run."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The fastest execution of a point that a search found, and what it rests on."""

    environment_id: str
    point: Point
    """That was searched; others with the same ``tuned_id`` share what was found."""
    execution: Execution
    step_ns: float
    """Median step of the slowest rank [ns]."""
    candidates: tuple[Candidate, ...]
    against_plain: Interval | None
    """Step of the plain execution over that of the found one; None where it was not measured."""
    against_reference: Interval | None
    has_yardsticks: bool
    """Whether both were asked for."""
    duration_s: float
    stop_reason: str
    batches: tuple[BatchRate, ...]
    finished_utc: str

    def __post_init__(self) -> None:
        require_utc(self.finished_utc)
        if self.execution.is_searched or not self.execution.precision:
            raise ValueError(f"{self.execution} is no settled execution")

    @property
    def tuned_id(self) -> str:
        """The question that this answers."""
        return tuned_id_of(self.point)

    @property
    def words(self) -> str:
        """The settings that were found, such as ``bfloat16, own kernels``."""
        is_plain = self.execution == replace(settled(PLAIN, self.point.precision), name=FOUND)
        return "the plain execution" if is_plain else self.execution.words

    def answers(self, plan: TuningPlan) -> bool:
        """Whether all that is asked now was found out already."""
        told = {one.batch_per_rank for one in self.batches}
        is_compared = self.has_yardsticks or not plan.has_yardsticks
        return self.finished_utc >= plan.since_utc and is_compared and told >= set(plan.batches)


def tuned_id_of(point: Point) -> str:
    """What a search is about: 16 hexadecimal digits of the hash of all that decides the fastest execution."""
    asked = {name: value for name, value in point.definition.items() if name not in _NOT_DECIDING}
    asked["execution"] = point.execution.name
    text = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def execution_of(point: Point, notes: Mapping[str, str]) -> Execution:
    """The settings in which a point was measured, by its notes where a search found them.

    Raises:
        ValueError: for a searched execution of which the notes say nothing that makes sense.
    """
    if not point.execution.is_searched:
        return settled(point.execution, point.precision)
    try:
        return Execution(**{**json.loads(notes[EXECUTION_NOTE]), "name": FOUND})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the notes of point {point.point_id} do not tell how it was executed") from error


def execution_notes(point: Point, execution: Execution) -> dict[str, str]:
    """Notes on how a point ran; none for the plain execution."""
    if point.execution == PLAIN:
        return {}
    return {EXECUTION_NOTE: _json(asdict(replace(execution, name=point.execution.name)))}


def search_notes(tuned: Tuned, *, is_reused: bool) -> dict[str, str]:
    """Notes on how the execution of a point was found."""
    return {
        SEARCH_NOTE: _json(
            {
                "candidates": [_candidate_json(one) for one in tuned.candidates],
                "step_ns": tuned.step_ns,
                "against_plain": _bounds(tuned.against_plain),
                "against_reference": _bounds(tuned.against_reference),
                "duration_s": round(tuned.duration_s, 3),
                "stop_reason": tuned.stop_reason,
                "finished_utc": tuned.finished_utc,
                "is_reused": is_reused,
            }
        )
    }


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    return asdict(candidate) | {"gain": _bounds(candidate.gain)}


def _bounds(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(one, 4) for one in _values(interval)]


def _values(interval: Interval) -> tuple[float, float, float]:
    return interval.low, interval.value, interval.high


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
