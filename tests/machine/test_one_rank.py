"""A world of one rank without MPI does with buffers what MPI does with those of one rank."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from saih.domain.job import ALONE, LAUNCHER_VARIABLE
from saih.machine import one_rank

Call = Callable[[Any, Any], Any]  # the library and its communicator

CALLS: dict[str, Call] = {
    "Gather": lambda mpi, comm: _into(comm.Gather, np.arange(6).reshape(2, 3), np.zeros((1, 2, 3), int)),
    "Allgather": lambda mpi, comm: _into(comm.Allgather, np.arange(3.0), np.zeros(3)),
    "Reduce": lambda mpi, comm: _into(comm.Reduce, np.arange(3.0), np.zeros(3), op=mpi.MAX),
    "Allreduce": lambda mpi, comm: _into(comm.Allreduce, np.arange(3.0), np.zeros(3), mpi.SUM),
    "Reduce of nothing": lambda mpi, comm: _into(comm.Reduce, np.zeros(0), np.zeros(0), op=mpi.SUM),
    "Gatherv": lambda mpi, comm: _lists(comm.Gatherv, mpi),
    "Allgatherv": lambda mpi, comm: _lists(comm.Allgatherv, mpi),
    "Allreduce in place": lambda mpi, comm: _in_place(comm, mpi),
    "Iallreduce in place": lambda mpi, comm: _in_place_later(comm, mpi),
    "Bcast": lambda mpi, comm: _broadcast(comm, mpi),
    "parts": lambda mpi, comm: [
        (part.rank, part.size)
        for part in (comm.Split(0, 0), mpi.Intracomm(comm.Split_type(mpi.COMM_TYPE_SHARED)), comm.Dup())
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_every_collective_gives_what_mpi_gives(name: str) -> None:
    assert CALLS[name](one_rank, one_rank.COMM_WORLD) == CALLS[name](MPI, MPI.COMM_SELF)


def test_the_end_of_the_job_ends_the_process_with_its_code() -> None:
    program = "from saih.machine.one_rank import COMM_WORLD; COMM_WORLD.Abort(7)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 7


def test_a_rank_alone_is_watched_for_as_long_as_it_works() -> None:
    program = (
        "import threading, time\n"
        "from saih.harness.sentinel import Sentinel\n"
        "from saih.machine.mpi import MPI\n"
        "with Sentinel(MPI.COMM_WORLD, 60, print):\n"
        "    time.sleep(0.5)\n"
        "    print([thread.name for thread in threading.enumerate()])\n"
    )
    environment = {**os.environ, LAUNCHER_VARIABLE: ALONE}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert "sentinel" in done.stdout
    assert "Traceback" not in done.stderr


def _into(call: Callable[..., object], sent: Any, received: Any, *rest: Any, **named: Any) -> list[Any]:
    call(sent, received, *rest, **named)
    return [str(received.dtype), received.tolist()]


def _lists(call: Callable[..., object], mpi: Any) -> bytes:
    received = bytearray(5)
    call([b"hello", mpi.BYTE], [received, [5], mpi.BYTE])
    return bytes(received)


def _in_place(comm: Any, mpi: Any) -> list[float]:
    values = np.arange(3.0)
    comm.Allreduce(mpi.IN_PLACE, values, mpi.MAX)
    return values.tolist()


def _in_place_later(comm: Any, mpi: Any) -> list[float]:
    values = np.arange(3.0)
    request = comm.Iallreduce(mpi.IN_PLACE, values, op=mpi.MIN)
    while not request.Test():
        pass
    return values.tolist()


def _broadcast(comm: Any, mpi: Any) -> bytes:
    values = bytearray(b"abc")
    comm.Bcast([values, mpi.BYTE], root=0)
    return bytes(values)
