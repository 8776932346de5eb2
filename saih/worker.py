"""The job's entry: the ranks that a launcher starts do one job, and tell what became of it.

``mpirun -n N python -m mpi4py -m saih.worker JOB.json``: the runner of mpi4py ends all ranks when one
ends with an error. Events are lines on stdout (``saih.harness.events``); the store decides.
"""

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from saih.domain.errors import SaihError, UsageError
from saih.domain.job import Job
from saih.harness.events import tell
from saih.harness.job_run import run_job
from saih.harness.lifeline import die_with_parent
from saih.machine.mpi import MPI
from saih.store.job_file import read_job
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.energon.session import EnergonJob
from workloads.galaxy.session import GalaxyJob
from workloads.protocol import JobSide

JOB_SIDES: Mapping[str, JobSide] = MappingProxyType(
    {"cosmoflow": CosmoFlowJob(), "energon": EnergonJob(), "galaxy": GalaxyJob()}
)


def main(arguments: Sequence[str]) -> int:
    """Do the job whose file is named; 0 when every point has its outcome, else the error's exit code."""
    die_with_parent()
    try:
        run_job(_read_job(arguments), JOB_SIDES, MPI.COMM_WORLD)
    except SaihError as error:
        _tell_error(type(error).__name__, error.problem, error.remedy)
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        problem = f"rank {MPI.COMM_WORLD.rank} failed: {type(error).__name__}: {error}"
        _tell_error("SaihError", problem, "the traceback is on stderr; this may be a mistake of SAIH.")
        return SaihError.exit_code
    return 0


def _read_job(arguments: Sequence[str]) -> Job:
    if len(arguments) != 1:
        raise UsageError(
            f"the worker was given {len(arguments)} arguments.", "give it one job file; saih sweep writes it."
        )
    return read_job(Path(arguments[0]))


def _tell_error(kind: str, problem: str, remedy: str) -> None:
    tell("error", kind=kind, problem=problem, remedy=remedy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
