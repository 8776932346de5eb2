"""The MPI of this process: that of mpi4py, or a world of one rank that was started without any MPI.

Everything else of SAIH says ``from saih.machine.mpi import MPI``.
"""

import os
from typing import TYPE_CHECKING

from saih.domain.job import ALONE, LAUNCHER_VARIABLE

if TYPE_CHECKING or os.environ.get(LAUNCHER_VARIABLE) != ALONE:
    from mpi4py import MPI
else:
    from saih.machine import one_rank as MPI  # noqa: N812 - it stands in the place of that module

__all__ = ["MPI"]
