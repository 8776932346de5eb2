"""The environment in which a scheduler's commands run: theirs alone decides, not what a shell left behind."""

from collections.abc import Mapping

_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER")
"""Where the system is; everything else of these families would override what a script asks."""
_FAMILIES = (
    "SLURM_", "SLURMD_", "SBATCH_", "SALLOC_", "SRUN_", "SQUEUE_", "SACCT_", "SINFO_", "SCANCEL_",
    "PBS_", "QSUB_", "BSUB_", "PMIX_", "PMI_", "PRTE_", "OMPI_COMM_WORLD_", "OMPI_UNIVERSE_",
)  # fmt: skip
_ALLOCATIONS = ("SLURM_JOB_ID", "SLURM_JOBID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID")


def scheduler_environment(base: Mapping[str, str]) -> dict[str, str]:
    """``base`` without what would change the meaning of a scheduler's command, or the language it answers in.

    Jobs inherit it, so a job that is submitted from inside another one does not take itself for that one.
    """
    kept = {name: value for name, value in base.items() if name in _KEPT or not name.startswith(_FAMILIES)}
    # ISO 8601 in local time is what sacct reads and writes; ids of Flux are then plain ASCII.
    return kept | {"LC_ALL": "C", "SLURM_TIME_FORMAT": "standard", "FLUX_F58_FORCE_ASCII": "1"}


def allocation_around(base: Mapping[str, str]) -> str | None:
    """The variable and job id of the allocation that this process runs in; None outside of any."""
    for name in _ALLOCATIONS:
        if base.get(name):
            return f"{name}={base[name]}"
    return None
