"""A job of ranks as the product starts it, without the command line around it."""

import os
import subprocess
import sys
from pathlib import Path

from saih.domain.job import Job
from saih.domain.point import Placement, Point
from saih.domain.record import Record
from saih.store.codec import encode_job
from saih.store.sweep_folder import SweepFolder, read_records

LIMIT_S = 240


def measured(folder: Path, placement: Placement, asked: tuple[Point, ...]) -> list[Record]:
    """The records of all points, in their order, from one job of ranks."""
    job = Job(
        task="measure",
        sweep_name="divided",
        results_folder=str(folder / "results"),
        data_folder=str(folder / "data"),
        placement=placement,
        points=asked,
        watchdog_s=90,
    )
    path = folder / "job.json"
    path.write_bytes(encode_job(job))
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", str(placement.num_ranks), "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    done = subprocess.run(
        [*ranks, sys.executable, "-m", "mpi4py", "-m", "saih.worker", str(path)],
        env={**os.environ, **allowed, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {
        record.point.point_id: record
        for record in read_records(SweepFolder(folder / "results", "divided"))[0]
    }
    return [found[point.point_id] for point in asked]
