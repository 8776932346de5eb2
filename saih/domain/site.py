"""A site: what is to be known of a system to run sweeps there, the same for every sweep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SchedulerName = Literal["local", "slurm", "pbs", "lsf", "flux"]
Starter = Literal["mpirun", "srun"]
Packing = Literal["line", "placement"]
"""What shares one allocation: ``line`` keeps all placements of a scaling line on one set of nodes, which
makes them comparable and leaves nodes idle at the small ones; ``placement`` gives every placement nodes of
its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One system: its scheduler, what to ask of it, and what its nodes have."""

    name: str = "here"
    scheduler: SchedulerName = "local"
    partition: str = ""
    """Also called queue. Empty: the system's default."""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    options: tuple[str, ...] = ()
    """Further options of the scheduler, one for each directive line, such as ``--reservation=tests``."""
    modules: tuple[str, ...] = ()
    """Environment modules, loaded in this order before anything starts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that every rank gets."""
    container: str = ""
    """Apptainer image in which the ranks run; empty for none."""
    container_options: tuple[str, ...] = ()
    python: str = ""
    """Interpreter of the ranks (inside the container, if any). Empty: the one that submits."""
    starter: Starter = "mpirun"
    """What starts the ranks inside an allocation."""
    srun_mpi: str = "pmix"
    """Plugin that srun hands to MPI (``srun --mpi=list``)."""
    cores_per_node: int | None = None
    gpus_per_node: int | None = None
    memory_bytes_per_node: int | None = None
    gpu_memory_bytes: int | None = None
    max_nodes: int | None = None
    """Most nodes of one job."""
    max_time_s: float = 24 * 3600.0
    """Longest job that the partition takes."""
    notice_s: float = 120.0
    """How long before the time limit the job is told to stop; it then continues in a later run."""
    max_jobs: int = 10
    """Most jobs of one array that run at the same time; a sweep has an array for each shape of job."""
    is_exclusive: bool = True
    """Whether nodes are asked for whole; shared nodes make timings of strangers."""
    is_requeued: bool = True
    """Whether a job that was preempted, lost a node or ran into its time limit goes on by itself."""
    packing: Packing = "line"
    power_w_per_node: float | None = field(default=None, metadata={"came_later": True})
    """Drawn by one node at work [W]; None where nobody said."""
    testbed: str = field(default="", metadata={"came_later": True})
    """Description of the edge testbed whose devices are the nodes; empty for none."""
    staging_folder: str = field(default="", metadata={"came_later": True})
    """Folder of every node's own to which data sets are copied; empty: TMPDIR of its ranks."""
