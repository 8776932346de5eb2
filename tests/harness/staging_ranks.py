"""Two ranks that stage a data set: ``mpirun -n 2 python staging_ranks.py BASE DATA``.

First on two hosts, then on one, then on two of which the second has no place for copies. Rank 0 prints, as
JSON, what each rank found in each of these.
"""

import json
import os
import sys
from pathlib import Path

from mpi4py import MPI

from saih.domain.errors import EnvironmentMissing
from saih.harness.ranks import take_seats
from saih.harness.staging import Staging
from saih.machine.messages import gather
from tests.harness.staged_points import asked, placement_of
from workloads.cosmoflow.training import CosmoFlowJob


def staged(base: Path, data: Path, num_hosts: int, *, has_place: bool) -> dict[str, object]:
    comm = MPI.COMM_WORLD
    host = comm.rank % num_hosts
    os.environ["SLURMD_NODENAME"] = f"host{host}"
    own_base = base / f"host{host}"
    own_base.mkdir(parents=True, exist_ok=True)
    if not has_place:
        own_base = own_base / "file"
        own_base.touch()
    placement = placement_of(comm.size, num_hosts)
    with Staging(take_seats(comm, placement), own_base, lambda place: None) as staging:
        point = asked(placement)
        try:
            folder = staging.stage(point, CosmoFlowJob(), data)
            found = {"error": "", "folder": str(folder), **staging.notes(point)}
            found["shards"] = len(list(folder.glob("dataset-*/shard-*.h5")))
        except EnvironmentMissing as error:
            found = {"error": error.problem}
        comm.Barrier()
    return found


def main(base: str, data: str) -> int:
    comm = MPI.COMM_WORLD
    own = {
        "two hosts": staged(Path(base), Path(data), 2, has_place=True),
        "one host": staged(Path(base), Path(data), 1, has_place=True),
        "no place": staged(Path(base), Path(data), 2, has_place=comm.rank == 0),
    }
    told = gather(comm, own)
    if told is not None:
        sys.stdout.write(json.dumps(list(told)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
