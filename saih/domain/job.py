"""A job: what the launcher asks one set of ranks to do, handed over as a file."""

from dataclasses import dataclass, field
from typing import Literal

from saih.domain.point import Placement, Point
from saih.domain.study import StudyPlan
from saih.domain.tuning import TuningPlan
from saih.domain.verification import VerifyPlan

Task = Literal["generate", "ceilings", "check_ceilings", "measure", "verify", "validate", "search", "tune"]
EVENT_PREFIX = "saih-event "
"""Begins each line on stdout by which a job tells an event; the rest of the line is one JSON object."""
LAUNCHER_VARIABLE = "SAIH_LAUNCHER"
"""Tells the ranks what started them, such as ``openmpi``; unset where the scheduler did."""
ALONE = "none"
"""What that says where one rank was started by itself, without any MPI."""
GENERATION_PATIENCE = 50.0
"""Watchdog limits for which generating may be silent. A universe is made in silence (16 s for 128^3 on one
shared core, 64 times that for 512^3), and what is missing may be spread unevenly over the ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One task on one placement. ``points`` are worked on in order.

    ``generate`` makes the data sets that the points need, ``ceilings`` measures the machine's best for the
    placement, ``check_ceilings`` does so where a few sizes show that the machine has changed, ``measure``
    runs the points.
    ``verify`` switches causes on and off at those that are measured. ``validate`` shows whether the problems
    of the points can be learnt, ``search`` finds the models that learn best at their costs.
    ``tune`` searches the fastest executions of the points.
    """

    task: Task
    sweep_name: str
    results_folder: str
    data_folder: str
    placement: Placement
    points: tuple[Point, ...]
    watchdog_s: float = 300.0
    """A rank that makes no progress for this long ends the job."""
    holder_path: str = field(default="", metadata={"came_later": True})
    """Names who works on these points now; empty where a lock of the file system keeps others out."""
    holder_token: str = field(default="", metadata={"came_later": True})
    """Whoever finds another token in that file lost the points to a later driver, and publishes nothing."""
    has_whole_nodes: bool = field(default=False, metadata={"came_later": True})
    """Whether the scheduler gives the nodes to nobody else; what counts energy sees whole nodes."""
    verify: VerifyPlan | None = field(default=None, metadata={"came_later": True})
    """How to switch; None for the other tasks."""
    verify_since_utc: str = field(default="", metadata={"came_later": True})
    """Trials that finished before count as none; empty where any counts."""
    study: StudyPlan | None = field(default=None, metadata={"came_later": True})
    """How to study; None for the other tasks."""
    tuning: TuningPlan | None = field(default=None, metadata={"came_later": True})
    """How to search executions; None for the other tasks."""
    staging_folder: str = field(default="", metadata={"came_later": True})
    """Folder of every node's own to which data sets are copied; empty: TMPDIR of the ranks."""
