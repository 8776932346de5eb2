"""The job of a batch scheduler that this process is part of, as notes of a result."""

from collections.abc import Mapping

_SOURCES = {
    "scheduler_job": ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID"),
    "scheduler_restart": ("SLURM_RESTART_COUNT",),
    "scheduler_nodes": ("SLURM_JOB_NODELIST", "LSB_HOSTS"),
}
_LONGEST = 500


def scheduler_notes(environ: Mapping[str, str]) -> dict[str, str]:
    """Id, restarts and nodes of the job, as far as its scheduler says; empty outside of one."""
    found = {
        note: next((environ[name] for name in names if name in environ), "")
        for note, names in _SOURCES.items()
    }
    return {note: text[:_LONGEST] for note, text in found.items() if text}
