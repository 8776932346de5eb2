"""Ranks that do job after job; the worker of test_tuning_ranks."""

import os
import sys
from pathlib import Path

from mpi4py import MPI
from tuned_application import MadeJob

from saih.domain.errors import SaihError
from saih.harness.events import tell
from saih.harness.job_run import run_job
from saih.store.job_file import read_job
from workloads.cosmoflow.training import CosmoFlowJob


def main(paths: list[str]) -> int:
    for path in paths:
        tell("job", path=path)
        try:
            run_job(read_job(Path(path)), {"made": MadeJob(), "cosmoflow": CosmoFlowJob()}, MPI.COMM_WORLD)
        except SaihError as error:
            tell("error", kind=type(error).__name__, problem=error.problem, remedy=error.remedy)
            return error.exit_code
    return 0


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.exit(main(sys.argv[1:]))
