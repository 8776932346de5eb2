"""Batches: which points share an allocation, how that was handed to the scheduler, and who works on them."""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from saih.domain.moment import require_utc
from saih.domain.point import Point
from saih.domain.site import Site
from saih.domain.verification import VerifyPlan

_JOB_ID = re.compile(r"[A-Za-z0-9\N{LATIN SMALL LETTER F WITH HOOK}][^\s\x00-\x1f\x7f-\x9f]{0,199}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Points that one allocation works on, smaller ones of its nodes at a time where they need fewer."""

    number: int
    points: tuple[Point, ...]
    nodes: int
    predicted_s: float
    """Expected from the cost model: data sets, ceilings and points, one after the other."""
    time_limit_s: float
    verify: VerifyPlan | None = field(default=None, metadata={"came_later": True})
    """How to put its measured points to the test at last; None: not at all."""
    verify_since_utc: str = field(default="", metadata={"came_later": True})
    """Trials that finished before are run again."""

    def verifying(self, plan: VerifyPlan, since_utc: str = "") -> "Batch":
        """The same batch, which puts its points to the test at last."""
        return replace(self, verify=plan, verify_since_utc=since_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One scheduler job, written down before the scheduler is asked."""

    number: int
    task: Literal["generate", "measure", "report"]
    token: str
    """Name of the job: by it a job is found again whose id was lost on the way back."""
    batches: tuple[int, ...]
    """Element i of the job array works on batch ``batches[i]``; a single one makes a plain job."""
    after: tuple[int, ...]
    """Numbers of submissions that must have ended before this one begins."""
    site: Site
    data_folder: str
    """Where the data sets are, or are to be made; an absolute path that every node sees."""
    written_utc: str
    earlier_job_ids: tuple[str, ...] = field(default=(), metadata={"came_later": True})
    """Jobs of this name that the scheduler had before: of a folder since deleted, or taken back."""
    time_limit_s: float | None = field(default=None, metadata={"came_later": True})
    """Of the job that makes data sets; None where the time limits of its batches tell."""

    def __post_init__(self) -> None:
        require_utc(self.written_utc)

    @property
    def num_elements(self) -> int:
        """How many jobs it is for the scheduler; only measuring makes an array."""
        return max(len(self.batches), 1) if self.task == "measure" else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The scheduler's answer to a submission."""

    job_id: str
    submitted_utc: str

    def __post_init__(self) -> None:
        require_utc(self.submitted_utc)
        if not _JOB_ID.fullmatch(self.job_id):  # it becomes a word of a command line
            raise ValueError(f"{self.job_id[:40]!r} is no id of a job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who works on a batch now. A later holder took it over; what an earlier one still writes is void."""

    token: str
    job_id: str
    host: str
    process: int
    since_utc: str
    num_idle_restarts: int
    """Starts in a row, this one not counted, that finished no point."""

    def __post_init__(self) -> None:
        require_utc(self.since_utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """How far the holder of a batch is."""

    token: str
    task: str
    """``generate``, ``ceilings``, ``measure``, or ``ended``."""
    point_id: str
    """The point that is being measured; empty for none."""
    num_done: int
    num_points: int
    text: str
    at_utc: str

    def __post_init__(self) -> None:
        require_utc(self.at_utc)
