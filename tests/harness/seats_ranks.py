"""Ranks that take themselves for two hosts: ``mpirun -n 2 python seats_ranks.py FOLDER [TASK] [FASTER]``.

Rank 1 gets the name of another host, and ``FOLDER-1`` where that exists; FASTER makes its clock run by
that factor.
"""

import os
import sys
import time
from pathlib import Path

from mpi4py import MPI

from saih.domain.errors import SaihError
from saih.domain.job import Job
from saih.domain.point import Placement
from saih.harness import host_clocks
from saih.harness.host_clocks import require_equal_clocks
from saih.harness.ranks import take_seats
from saih.harness.shared_data import require_same_data


def main(data_folder: str, task: str = "measure", faster: str = "1") -> int:
    comm = MPI.COMM_WORLD
    os.environ["SLURMD_NODENAME"] = f"host{comm.rank}"
    private = Path(f"{data_folder}-{comm.rank}")
    placement = Placement(nodes=2, data_parallel=2)
    job = Job(
        task=task,  # type: ignore[arg-type]  # from the command line
        sweep_name="seats",
        results_folder=data_folder,
        data_folder=str(private if private.exists() else data_folder),
        placement=placement,
        points=(),
    )
    host_clocks._BOOT = Path("/nowhere")  # hosts of one kernel have one clock, and are not asked
    if comm.rank == 1:
        host_clocks.host_ns = lambda: round(time.perf_counter_ns() * float(faster))
    try:
        ranks = take_seats(comm, placement)
        require_same_data(job, ranks)
        notes = require_equal_clocks(ranks)
    except SaihError as error:
        sys.stdout.write(f"rank {comm.rank}: {error.problem}\n")
        return error.exit_code
    sys.stdout.write(f"rank {comm.rank}: {dict(notes)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
