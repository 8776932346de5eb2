"""How each scheduler is told what a job needs, is handed a script, and answers with an id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saih.domain.errors import SaihError, UsageError
from saih.domain.site import SchedulerName, Site
from saih.launch.script_shape import Shape

Dependency = Literal["afterok", "afterany"]
_PLAIN = re.compile(r"[A-Za-z0-9_./+=,~-]+")
_SLURM_PATH = re.compile(r"[^\x00-\x1f\x7f-\x9f\"\\`\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The job array: how many elements, and how many of them run at the same time."""

    number: int
    at_once: int


def directives(site: Site, shape: Shape, elements: Elements | None) -> list[str]:
    """The directive lines that depend on the site, beyond those that every job has."""
    options = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf, "flux": _flux}[site.scheduler](
        site, shape, elements
    )
    prefix = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB", "flux": "# flux:"}[site.scheduler]
    return [f"{prefix} {option}" for option in (*options, *site.options)]


def chunk(site: Site, shape: Shape) -> str:
    """One node of a PBS select statement."""
    parts = [
        f"ncpus={shape.tasks_per_node * shape.cores_per_task}",
        f"mpiprocs={shape.tasks_per_node}",
        *([f"ngpus={shape.gpus_per_node}"] if shape.gpus_per_node else []),
        *([site.constraint] if site.constraint else []),
    ]
    return ":".join(parts)


def job_name(site: Site, token: str, elements: Elements | None) -> str:
    """The name in the script; LSF declares its arrays there."""
    if site.scheduler == "lsf" and elements:
        return f'"{token}[1-{elements.number}]%{elements.at_once}"'
    return token


def log_path(site: Site, folder: Path, elements: Elements | None) -> str:
    """Where the output goes, as the directive says it: one file for each job, appended to when requeued.

    Raises:
        UsageError: for a folder whose name the scheduler cannot be told.
    """
    pattern = _SLURM_PATH if site.scheduler == "slurm" else _PLAIN
    if not pattern.fullmatch(str(folder)):
        raise UsageError(
            f"{str(folder)!r} has characters that a job script of {site.scheduler} cannot name.",
            "name a results folder (--results) of letters, digits, '.', '_', '-' and '/'.",
        )
    if site.scheduler == "slurm":
        return f'"{str(folder).replace("%", "%%")}/log-{"%A_%a" if elements else "%j"}.txt"'
    if site.scheduler == "lsf":
        return f"{folder}/log-{'%J_%I' if elements else '%J'}.txt"
    if site.scheduler == "flux":
        return f"{folder}/log-{{{{id}}}}.txt"
    return f"{folder}/"  # PBS then names the file after the job


def index_words(site: Site) -> str:
    """The shell word that gives the element of the array, counted from 0."""
    words = {
        "slurm": '"$SLURM_ARRAY_TASK_ID"',
        "pbs": '"$PBS_ARRAY_INDEX"',
        "lsf": '"$((LSB_JOBINDEX - 1))"',
    }
    return words[site.scheduler]


def submit_options(scheduler: SchedulerName, after: Dependency, job_ids: Sequence[str]) -> list[str]:
    """The options by which a job waits for others."""
    if not job_ids:
        return []
    if scheduler == "slurm":
        return [f"--dependency={after}:{':'.join(job_ids)}"]
    if scheduler == "pbs":
        return ["-W", f"depend={after}:{':'.join(job_ids)}"]
    if scheduler == "lsf":
        condition = {"afterok": "done", "afterany": "ended"}[after]
        return ["-w", " && ".join(f"{condition}({job_id})" for job_id in job_ids)]
    return [f"--dependency={after}:{job_id}" for job_id in job_ids]


def submit_command(scheduler: SchedulerName, options: Sequence[str], script_path: Path) -> list[str]:
    """The command that hands a script to the scheduler; bsub reads it from its input (``reads_input``)."""
    words = {
        "slurm": ["sbatch", "--parsable"],
        "pbs": ["qsub"],
        "lsf": ["bsub"],
        "flux": ["flux", "batch"],
    }[scheduler]
    return [*words, *options, *([] if reads_input(scheduler) else [str(script_path)])]


def reads_input(scheduler: SchedulerName) -> bool:
    """Whether the script goes to the command's input."""
    return scheduler == "lsf"


def parse_id(scheduler: SchedulerName, out: str) -> str:
    """The job's id in what the submitting command printed.

    Raises:
        SaihError: when there is none.
    """
    patterns = {
        "slurm": r"^([0-9]+)(?:;[\w.-]+)?\s*$",
        "pbs": r"^([0-9]+(?:\[\])?(?:\.[A-Za-z0-9._-]+)?)\s*$",
        "lsf": r"^Job <([0-9]+)> is submitted to",
        "flux": r"^([fƒ][1-9A-HJ-NP-Za-km-z]{1,16}|[0-9]+)\s*$",
    }
    found = re.findall(patterns[scheduler], out, re.MULTILINE)
    if not found:
        raise SaihError(
            f"{scheduler} took the job, but its answer holds no id: {out[:200]!r}.",
            "look for the job in the queue, and report this answer.",
        )
    return str(found[-1])


def clock_time(seconds: int) -> str:
    """A duration as ``HH:MM:SS``."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def hour_minutes(seconds: int) -> str:
    """A duration as ``H:MM``, rounded up, as LSF takes it."""
    minutes = -(-seconds // 60)
    return f"{minutes // 60}:{minutes % 60:02d}"


def _slurm(site: Site, shape: Shape, elements: Elements | None) -> list[str]:
    named = {
        "partition": site.partition,
        "account": site.account,
        "qos": site.qos,
        "constraint": f'"{site.constraint}"' if site.constraint else "",
        "gpus-per-node": str(shape.gpus_per_node) if shape.gpus_per_node else "",
        "array": f"0-{elements.number - 1}%{elements.at_once}" if elements else "",
    }
    return [
        *(f"--{name}={value}" for name, value in named.items() if value),
        *(["--exclusive", "--mem=0"] if shape.is_exclusive else []),
        "--requeue" if site.is_requeued else "--no-requeue",
    ]


def _pbs(site: Site, shape: Shape, elements: Elements | None) -> list[str]:
    return [
        "-l place=scatter:excl" if shape.is_exclusive else "-l place=scatter",
        *([f"-q {site.partition}"] if site.partition else []),
        *([f"-A {site.account}"] if site.account else []),
        *([f"-J 0-{elements.number - 1}%{elements.at_once}"] if elements else []),
        f"-r {'y' if site.is_requeued or elements else 'n'}",  # PBS takes arrays only when they may be rerun
    ]


def _lsf(site: Site, shape: Shape, _elements: Elements | None) -> list[str]:
    return [
        *([f"-q {site.partition}"] if site.partition else []),
        *([f"-P {site.account}"] if site.account else []),
        *([f"-sla {site.qos}"] if site.qos else []),
        *([f'-R "select[{site.constraint}]"'] if site.constraint else []),
        *([f'-gpu "num={shape.gpus_per_node}/host"'] if shape.gpus_per_node else []),
        *(["-x"] if shape.is_exclusive else []),
        *(["-r", '-Q "75"'] if site.is_requeued else ["-rn"]),
    ]


def _flux(site: Site, shape: Shape, _elements: Elements | None) -> list[str]:
    gpus = -(-shape.gpus_per_node // shape.tasks_per_node)
    return [
        *([f"--queue={site.partition}"] if site.partition else []),
        *([f"--setattr=bank={site.account}"] if site.account else []),
        *([f'--requires="{site.constraint}"'] if site.constraint else []),
        *([f"--gpus-per-slot={gpus}"] if gpus else []),
        *(["--exclusive"] if shape.is_exclusive else []),
    ]
