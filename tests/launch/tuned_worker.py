"""A worker whose one application lasts as long as its execution says; see ``tuned_application``."""

import sys
from pathlib import Path

from mpi4py import MPI
from tuned_application import MadeJob

from saih.harness.job_run import run_job
from saih.store.job_file import read_job

if __name__ == "__main__":
    run_job(read_job(Path(sys.argv[1])), {"made": MadeJob()}, MPI.COMM_WORLD)
