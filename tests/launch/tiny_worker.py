"""A worker that obeys a job file with real ranks and the real store, but computes next to nothing."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from mpi4py import MPI
from tiny_points import ENVIRONMENT, NUM_STEPS, steps_of

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.job import Job
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Outcome
from saih.store.ceilings_file import write_ceilings
from saih.store.fence import Fence
from saih.store.job_file import read_job
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish


def say(**event: Any) -> None:
    sys.stdout.write(f"saih-event {json.dumps(event)}\n")
    sys.stdout.flush()


def measure(job: Job, point: Point, comm: MPI.Intracomm) -> None:
    folder = SweepFolder(Path(job.results_folder), job.sweep_name)
    fence = Fence(holder_path=job.holder_path, token=job.holder_token)
    fault = str(point.problem.model["fault"])
    is_mute = fault == "gives up mutely"
    if comm.rank == 0:
        attempt = begin_attempt(folder, point, ENVIRONMENT, fence)
    if comm.rank == 0 and not is_mute:
        say(event="point_begin", point_id=point.point_id, attempt=attempt.number)
    comm.Barrier()
    time.sleep(float(point.problem.model["duration_s"]))
    act(fault, comm.rank)
    total = comm.allreduce(comm.rank)
    assert total == comm.size * (comm.size - 1) // 2
    if comm.rank == 0:
        result = AttemptResult(
            outcome=Outcome.COMPLETED,
            reason="",
            stop_reason=f"{NUM_STEPS} steps",
            steps=steps_of(point),
            notes={},
        )
        if fault in ("fails", "gives up", "gives up mutely"):
            result = AttemptResult(
                outcome=Outcome.FAILED, reason="rank 0: as asked", stop_reason="", steps=None, notes={}
            )
        finish(attempt, result, fence)
        if is_mute:
            comm.Abort(1)
        say(event="point_end", point_id=point.point_id, attempt=attempt.number, outcome=str(result.outcome))
        if fault == "gives up":
            say(event="error", kind="SaihError", problem="rank 0 ended the job.", remedy="mend it.")
            comm.Abort(1)


def act(fault: str, rank: int) -> None:
    if rank == 1 and fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and fault == "raises":
        raise RuntimeError("rank 1 raises as asked")
    if fault == "hangs":
        time.sleep(3600)
    if fault == "orphan" and rank == 1:
        # A child that outlives its rank, with the rank's output open: the driver must end it.
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "exits" and rank == 1:
        os._exit(0)


def ceilings_of(job: Job) -> Ceilings:
    rate = Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=5)
    product = Ceiling(
        kind=CeilingKind.GEMM,
        precision=job.points[0].precision,
        unit="FLOP/s",
        size_unit="side",
        sizes=(1.0,),
        rates=(rate,),
    )
    return Ceilings(
        environment_id=ENVIRONMENT.environment_id,
        placement_label=job.placement.label,
        curves=(product,),
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


def main(job_path: str) -> None:
    comm = MPI.COMM_WORLD
    job = read_job(Path(job_path))
    assert comm.size == job.placement.num_ranks
    if comm.rank == 0:
        sys.stdout.write(f"tiny worker: {job.task}\n")
        say(event="environment", environment_id=ENVIRONMENT.environment_id)
    if job.task == "ceilings" and comm.rank == 0:
        write_ceilings(Path(job.results_folder), ceilings_of(job))
        say(event="message", text="ceilings measured")
    if job.task == "generate" and comm.rank == 0:
        say(event="progress", done=1, total=1, text="nothing to generate")
        if any(point.problem.model["fault"] == "no data" for point in job.points):
            say(event="error", kind="EnvironmentMissing", problem="no data here.", remedy="bring some.")
    if job.task == "measure":
        for point in job.points:
            measure(job, point, comm)


if __name__ == "__main__":
    main(sys.argv[1])
