"""The one declaration of a site file: its keys, their kinds, meanings and defaults.

Nothing that such a file may hold can begin a directive or a shell command of its own: names are restricted to
harmless characters, and free text has no control characters and is quoted where it is used.
"""

from typing import get_args

from saih.config.key import Key, Listed, Section, Table
from saih.config.kind import Choice, Real, Text, Truth, Whole
from saih.domain.site import Packing, SchedulerName, Site, Starter

_LONGEST_H = 8760.0
_SITE = Site()
_FREE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]"
_TOKEN = Text(
    pattern=r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
    words="a name of letters, digits, '.', '_' and '-' (not '-' first)",
)
_CONSTRAINT = Text(
    pattern=r"[A-Za-z0-9_][A-Za-z0-9._=:,&|-]{0,255}",
    words="names of features, combined by & and |",
)
_OPTION = Text(
    pattern=r"--?[A-Za-z][A-Za-z0-9_-]{0,63}([= ][A-Za-z0-9_][A-Za-z0-9._:,@/+=*-]{0,255})?",
    words="one option of the scheduler, such as --reservation=tests, without quotes and special characters",
)
_MODULE = Text(
    pattern=r"[A-Za-z0-9_][A-Za-z0-9._+/=@-]{0,255}", words="the name of a module, such as openmpi/5.0"
)
_VARIABLE = Text(
    pattern=r"(?!(?:UID|EUID|PPID|BASHOPTS|BASHPID|SHELLOPTS|BASH_VERSINFO|BASH_ENV|ENV|IFS)$)"
    r"[A-Za-z_][A-Za-z0-9_]{0,127}",
    words="a name of letters, digits and '_' that the shell does not keep for itself",
)
_VALUE = Text(pattern=rf"{_FREE}{{0,4096}}", words="text without control characters")
_PATH = Text(pattern=rf"/{_FREE}{{1,4095}}", words="an absolute path")
_ARGUMENT = Text(pattern=rf"{_FREE}{{1,4096}}", words="text without control characters")
_PLUGIN = Text(pattern=r"[a-z][a-z0-9_]{0,63}", words="a name that `srun --mpi=list` shows")
_INTERPRETER = Text(
    pattern=rf"/{_FREE}{{1,4095}}|[A-Za-z][A-Za-z0-9._-]{{0,63}}",
    words="an absolute path, or the name of a command",
)


SITE_SCHEMA = Section(
    keys=(
        Key(name="name", kind=Text(), meaning="name of the system", is_required=True),
        Key(
            name="scheduler",
            kind=Choice(words=get_args(SchedulerName)),
            meaning="what gives out its nodes",
            is_required=True,
        ),
        Key(name="partition", kind=_TOKEN, meaning="partition or queue; else the system's default"),
        Key(name="account", kind=_TOKEN, meaning="account, project or bank that pays"),
        Key(name="qos", kind=_TOKEN, meaning="quality of service; for LSF the service class"),
        Key(name="constraint", kind=_CONSTRAINT, meaning="features that every node must have"),
        Key(
            name="options",
            kind=Listed(item=_OPTION, example="['--reservation=tests']"),
            meaning="further options of the scheduler; one that SAIH sets itself is refused",
        ),
        Key(
            name="modules",
            kind=Listed(item=_MODULE, example="[gcc, openmpi/5.0]"),
            meaning="environment modules, loaded in this order",
        ),
        Key(
            name="environment",
            kind=Table(name=_VARIABLE, value=_VALUE),
            meaning="variables that every rank gets; put numbers in quotes",
        ),
        Key(name="container", kind=_PATH, meaning="Apptainer image in which the ranks run"),
        Key(
            name="container_options",
            kind=Listed(item=_ARGUMENT, example="['--nv']"),
            meaning="further arguments of `apptainer exec`",
        ),
        Key(
            name="python",
            kind=_INTERPRETER,
            meaning="interpreter of the ranks, in the container if there is one; else the one that submits",
        ),
        Key(
            name="starter",
            kind=Choice(words=get_args(Starter)),
            meaning="what starts the ranks inside a job",
            default=_SITE.starter,
        ),
        Key(
            name="srun_mpi",
            kind=_PLUGIN,
            meaning="plugin of `srun --mpi`, for starter: srun",
            default=_SITE.srun_mpi,
        ),
        Key(name="cores_per_node", kind=Whole(low=1, high=100_000), meaning="cores of one node"),
        Key(name="gpus_per_node", kind=Whole(low=0, high=1024), meaning="GPUs of one node"),
        Key(
            name="memory_GiB_per_node",
            kind=Real(above=0, below=1e7),
            meaning="memory of one node [GiB = 2^30 bytes]; points that need more are not planned",
        ),
        Key(
            name="gpu_memory_GiB",
            kind=Real(above=0, below=1e5),
            meaning="memory of one GPU [GiB = 2^30 bytes]; points that need more are not planned",
        ),
        Key(
            name="power_W_per_node",
            kind=Real(above=0, below=1e6),
            meaning="power that one node draws at work [W]; plans then tell the energy",
        ),
        Key(name="max_nodes", kind=Whole(low=1, high=1_000_000), meaning="most nodes of one job"),
        Key(
            name="max_time_h",
            kind=Real(above=0, below=_LONGEST_H),
            meaning="longest job [hours]",
            default=_SITE.max_time_s / 3600,
        ),
        Key(
            name="notice_s",
            kind=Real(above=0, below=65_535),
            meaning="how long before its time limit a job is told to stop [seconds]",
            default=_SITE.notice_s,
        ),
        Key(
            name="max_jobs",
            kind=Whole(low=1, high=10_000),
            meaning="most jobs of one array at the same time; a sweep has an array for each shape of job",
            default=_SITE.max_jobs,
        ),
        Key(
            name="is_exclusive",
            kind=Truth(),
            meaning="whether nodes are asked for whole; what shares a node disturbs timings",
            default=_SITE.is_exclusive,
        ),
        Key(
            name="is_requeued",
            kind=Truth(),
            meaning="whether a job that was stopped before its end goes on by itself",
            default=_SITE.is_requeued,
        ),
        Key(
            name="packing",
            kind=Choice(words=get_args(Packing)),
            meaning="line: all placements of a scaling line on one set of nodes; placement: each on its own",
            default=_SITE.packing,
        ),
        Key(
            name="testbed",
            kind=_PATH,
            meaning="edge testbed whose devices are the nodes, as `tools/edge_testbed up` describes it; with "
            "scheduler: local",
        ),
        Key(
            name="staging_folder",
            kind=_PATH,
            meaning="folder on a disk of each node's own, to which data sets are copied where a sweep asks "
            "for staging: node; else the TMPDIR of its ranks, or /tmp",
        ),
    )
)

OWN_OPTIONS = {
    "slurm": (
        "-J", "--job-name", "-o", "--output", "-e", "--error", "--open-mode", "-t", "--time", "-N", "--nodes",
        "-n", "--ntasks", "--ntasks-per-node", "-c", "--cpus-per-task", "--signal", "--kill-on-invalid-dep",
        "-p", "--partition", "-A", "--account", "-q", "--qos", "-C", "--constraint", "--gpus-per-node", "-a",
        "--array", "--exclusive", "--mem", "--requeue", "--no-requeue", "-d", "--dependency", "--wrap",
        "--parsable", "-W", "--wait", "-D", "--chdir", "-i", "--input", "--uid", "--gid", "--test-only",
    ),
    "pbs": ("-N", "-o", "-e", "-j", "-q", "-A", "-J", "-r", "-S", "-C", "-I", "-z", "-u"),
    "lsf": (
        "-J", "-o", "-oo", "-e", "-eo", "-W", "-n", "-nnodes", "-wa", "-wt", "-w", "-q", "-P", "-sla", "-gpu",
        "-x", "-r", "-rn", "-Q", "-I", "-K", "-i", "-is",
    ),
    "flux": (
        "--job-name", "--output", "--error", "-t", "--time-limit", "-N", "--nodes", "-n", "--nslots", "-c",
        "--cores-per-slot", "--signal", "-q", "--queue", "--requires", "-g", "--gpus-per-slot", "-x",
        "--exclusive", "--dependency", "--wrap", "--input", "--dry-run",
    ),
}  # fmt: skip
"""Options that SAIH sets: given again in ``options``, they would undo each other."""
