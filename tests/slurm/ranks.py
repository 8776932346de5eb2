"""One rank that says where it sits, and what all ranks together make."""

import socket

import numpy as np
from mpi4py import MPI

comm = MPI.COMM_WORLD
total = np.zeros(1, dtype=np.int64)
comm.Allreduce(np.array([comm.rank], dtype=np.int64), total)
print(f"rank {comm.rank} of {comm.size} on {socket.gethostname()}, sum {total[0]}", flush=True)  # noqa: T201
