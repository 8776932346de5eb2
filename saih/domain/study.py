"""What studies of a sweep found: whether its problems can be learnt, and which models learn best."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from saih.domain.interval import Interval
from saih.domain.moment import require_utc
from saih.domain.point import Point

GateVerdict = Literal["passed", "failed", "not run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What a user asks of a study."""

    budget_s: float
    """About how long one problem may take, or all problems of a search [s]."""
    seed: int = 0
    since_utc: str = ""
    """Studies that finished before count as none; empty where any counts."""

    def __post_init__(self) -> None:
        if not 0 < self.budget_s < 1e9:
            raise ValueError(f"the budget of a study is {self.budget_s} s; give more than 0 and below 1e9.")
        if self.since_utc:
            require_utc(self.since_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One check that a problem is worth learning."""

    name: str
    """Short and stable, such as ``G4``."""
    title: str
    verdict: GateVerdict
    figures: Mapping[str, float]
    """What was measured and what it was held against, by name."""
    statement: str
    """The numbers in a sentence, or why it was not run."""
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an application tells of one problem: its gates, and what they were run on."""

    subject: str
    """What was studied, in words."""
    is_twin: bool
    """Whether that is not the problem itself but a smaller one of the same kind."""
    required: tuple[str, ...]
    """Names of the gates without which nothing is said of the problem."""
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        names = [gate.name for gate in self.gates]
        if len(set(names)) != len(names) or not set(self.required) <= set(names):
            raise ValueError(f"gates {', '.join(names)} do not name each of {', '.join(self.required)} once")

    @property
    def verdict(self) -> GateVerdict:
        """Failed where a gate failed that decides, passed where none did and every required one was run.

        Of a twin only the required gates decide: it stands for a point that is measured for its speed, and
        is trained as long as the study lasts.
        """
        verdicts = {gate.name: gate.verdict for gate in self.gates}
        if "failed" in [verdicts[name] for name in (self.required if self.is_twin else verdicts)]:
            return "failed"
        return "passed" if all(verdicts[name] == "passed" for name in self.required) else "not run"

    @property
    def counts(self) -> Mapping[GateVerdict, int]:
        """How many gates have each verdict; 0 for none."""
        found = Counter(gate.verdict for gate in self.gates)
        return {"passed": found["passed"], "failed": found["failed"], "not run": found["not run"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What was found of one problem, when, and on what."""

    subject_id: str
    """Of the problem: see ``subject_id_of``."""
    environment_id: str
    num_ranks: int
    plan: StudyPlan
    findings: Findings
    finished_utc: str

    def __post_init__(self) -> None:
        require_utc(self.finished_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A model that learnt as one rung of a ladder of costs."""

    target_flops_per_sample: float
    """Training operations of a sample that were asked for."""
    flops_per_sample: float
    """Those that it has."""
    model: Mapping[str, int]
    """Sizes of the problem's model shape."""
    label: str
    settings: Mapping[str, float]
    """How it learnt, such as ``{"learning_rate": 0.01}``."""
    warm_start: str
    """Which model its weights were grown from; empty for none."""
    seeds: tuple[int, ...]
    losses: tuple[float, ...]
    """One for each seed, in the unit of the frontier's metric."""
    loss: Interval
    """Over the seeds."""
    is_on_front: bool
    """Whether no cheaper model of the same search learnt as well."""

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.losses) or not self.seeds:
            raise ValueError(f"{len(self.seeds)} seeds with {len(self.losses)} losses make no sense")
        if min(self.flops_per_sample, self.target_flops_per_sample) <= 0:
            raise ValueError(
                f"{self.flops_per_sample} operations of a sample make no sense; give more than 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """For each cost the model that learns best, as a search found it."""

    subject: str
    """What was learnt, in words."""
    metric: str
    """What a loss is, such as ``validation mean absolute error``."""
    method: str
    """How was searched, in a sentence."""
    num_trials: int
    num_pruned: int
    """Trials that were ended early because others learnt better."""
    baselines: Mapping[str, float]
    """What learns without a network reaches, in the unit of the metric."""
    rungs: tuple[Learned, ...]
    deepened: tuple[Learned, ...]
    """What only ever grew deeper without residual branches, beside it."""

    def __post_init__(self) -> None:
        if not self.rungs:
            raise ValueError("a front without a model makes no sense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A frontier, when it was found, and on what."""

    environment_id: str
    num_ranks: int
    plan: StudyPlan
    frontier: Frontier
    finished_utc: str

    def __post_init__(self) -> None:
        require_utc(self.finished_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Studies:
    """All that was studied of a sweep."""

    validations: Mapping[str, Validation]
    """By the id of the problem that each is about."""
    search: Search | None
    """None where nobody searched."""


def subject_id_of(point: Point) -> str:
    """What a study of a point is about: 16 hexadecimal digits of the hash of its problem.

    Points that differ in batch, precision or placement alone pose the same problem.
    """
    problem = {
        "workload": point.workload,
        "data": dict(point.problem.data),
        "model": dict(point.problem.model),
    }
    text = json.dumps(problem, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
