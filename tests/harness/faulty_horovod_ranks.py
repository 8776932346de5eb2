"""As ``faulty_ranks.py``, with gradients exchanged by Horovod."""

import sys
from dataclasses import replace
from pathlib import Path

from mpi4py import MPI

from saih.harness.job_run import run_job

sys.path.insert(0, str(Path(__file__).parent))

from faulty_ranks import FaultyJob, make_job  # beside this program

if __name__ == "__main__":
    job = make_job(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])
    points = tuple(replace(point, exchange="horovod") for point in job.points)
    run_job(replace(job, points=points), {"faulty": FaultyJob()}, MPI.COMM_WORLD)
