"""A job as the scheduler sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One job, or one element of a job array, in the scheduler's own words."""

    job_id: str
    """Of the whole array, for an element of one."""
    name: str
    state: str
    """In capitals, such as PENDING, RUNNING, COMPLETED, CANCELLED: one bare word."""
    reason: str
    """Why it waits, or how it ended; empty where nothing was said."""
    nodes: str
    """The nodes that it has or had, in the scheduler's short form; empty for none."""
    index: int | None
    """Element of the job array; None for a job without elements."""
