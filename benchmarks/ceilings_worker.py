"""Ranks that time messages in turns: by the probes of the ceilings, and by the benchmark of mpi4py.

``mpirun -n 2 python -m mpi4py -m benchmarks.ceilings_worker mpi SIZES ROUNDS`` prints one JSON object:
seconds of one message by size, [round], for both. ``nccl`` times all-reduces of GPUs, ours alone.
"""

import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from unittest.mock import patch

import numpy as np
from mpi4py import MPI
from mpi4py.bench import pingpong
from numpy.typing import NDArray

from saih.domain.ceiling import CeilingKind
from saih.domain.interval import median
from saih.domain.point import Placement
from saih.machine.collective import TIMEOUT_S, collective_name, mpi_rungs, torch_rungs
from saih.machine.device import device_of, synchronise_on
from saih.machine.process_group import process_group
from saih.machine.sampling import time_curve
from saih.machine.stopwatch import Stopwatch

_BUDGET_S = 0.15
_LOOPS = {2**10: 500, 2**16: 100, 2**20: 20, 2**22: 6}
_SHORT_RUNS = 15
"""Their mean is of all messages: many short runs keep what other programs spoil out of the median."""


def main(arguments: Sequence[str]) -> int:
    """Time every size in turns; rank 0 prints."""
    sizes, num_rounds = [int(word) for word in arguments[1].split(",")], int(arguments[2])
    comm = MPI.COMM_WORLD
    if arguments[0] == "nccl":
        found = {"ours": {str(size): _all_reduces(comm, size, num_rounds) for size in sizes}}
    else:
        found = _in_turns(comm, sizes, num_rounds)
    if comm.rank == 0:
        print(json.dumps(found))
    return 0


def _in_turns(
    comm: MPI.Intracomm, sizes: Sequence[int], num_rounds: int
) -> dict[str, dict[str, list[float]]]:
    watch = Stopwatch(comm=comm, synchronise=lambda: None)
    found: dict[str, dict[str, list[float]]] = {"ours": {}, "theirs": {}}
    for _ in range(num_rounds):
        for size in sizes:
            found["ours"].setdefault(str(size), []).append(_ours(comm, watch, size))
            found["theirs"].setdefault(str(size), []).append(_theirs(comm, size))
    return found


def _all_reduces(comm: MPI.Intracomm, size: int, num_rounds: int) -> list[float]:
    """Seconds of an all-reduce over the GPUs of one node, a rank each."""
    placement = Placement(ranks_per_node=comm.size, data_parallel=comm.size, device="cuda")
    device = device_of(placement, comm)
    watch = Stopwatch(comm=comm, synchronise=synchronise_on(device))
    name = collective_name(CeilingKind.ALL_REDUCE, "nccl")
    with process_group(comm, device, TIMEOUT_S):
        rungs = torch_rungs(CeilingKind.ALL_REDUCE, device, comm.size, comm.rank)
        chosen = [rung for rung in rungs if rung.size == size]
        curves = [time_curve(name, chosen, watch, _BUDGET_S) for _ in range(num_rounds)]
        comm.Barrier()
    return [curve.rates[0].value for curve in curves if curve is not None]


def _ours(comm: MPI.Intracomm, watch: Stopwatch, size: int) -> float:
    rungs = [rung for rung in mpi_rungs(CeilingKind.SEND, comm) if rung.size == size]
    curve = time_curve(collective_name(CeilingKind.SEND, "mpi"), rungs, watch, _BUDGET_S)
    if curve is None:
        raise RuntimeError(f"messages of {size} bytes could not be timed")
    return curve.rates[0].value


def _theirs(comm: MPI.Intracomm, size: int) -> float:
    loops = str(_LOOPS[size])
    words = ["-m", str(size), "-n", str(size), "-l", loops, "--loop-large", loops, "--loop-huge", loops]
    with redirect_stdout(io.StringIO()), patch.object(np, "empty", _written):
        runs = [pingpong(comm, words, verbose=False) for _ in range(_SHORT_RUNS)]
    comm.Barrier()
    return median([float(result[0][1]) for result in runs])


def _written(size: int, kind: str) -> NDArray[np.uint8]:
    """What the benchmark of mpi4py sends it never wrote to: all such pages are one of the kernel's, in cache.

    Ours get memory of their own, as gradients have, so these do, too.
    """
    return np.full(size, 0, kind)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
