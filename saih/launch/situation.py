"""The jobs of a sweep as values: what is known of them, and what each one is doing."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.batch import Batch, BatchProgress, Holder, Receipt, Submission
from saih.launch.scheduler_view import SchedulerView


class Condition(StrEnum):
    """Where a job is."""

    RUNNING = "running"
    WAITING = "waiting"
    STUCK = "stuck"
    """Waiting, and somebody has to do something."""
    SPARE = "spare"
    """Still with the scheduler, although all its points have an outcome."""
    ENDED = "ended"
    UNKNOWN = "unknown"
    """The scheduler was not asked, or did not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A submission, and the scheduler's answer where there is one."""

    submission: Submission
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A batch, who works on it, and how far that is."""

    batch: Batch
    holder: Holder | None
    progress: BatchProgress | None

    @property
    def current(self) -> BatchProgress | None:
        """What the present holder said; an earlier holder's progress is void."""
        is_of_holder = self.progress and self.holder and self.progress.token == self.holder.token
        return self.progress if is_of_holder else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that is known of a sweep's jobs."""

    submissions: tuple[Submitted, ...]
    batches: Mapping[int, Worked]
    view: SchedulerView | None
    """None when the scheduler was not asked at all."""
    finished: AbstractSet[str]
    """Ids of the points that have an outcome and are not measured again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """One job of the sweep (one element of an array)."""

    submission: int
    task: str
    batch: int | None
    job_id: str
    """As the scheduler's commands take it; empty where it is not known."""
    condition: Condition
    words: str
    advice: str

    @property
    def head(self) -> str:
        """What the scheduler says of it, without how far it is."""
        return self.words.partition(";")[0]

    @property
    def is_live(self) -> bool:
        """Whether the job may still work on its points."""
        return self.condition is not Condition.ENDED
