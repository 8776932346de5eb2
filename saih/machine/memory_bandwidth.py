"""Probes of memory: the STREAM triad over growing working sets (McCalpin 1995)."""

from functools import partial

import torch

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

NAME = CurveName(
    kind=CeilingKind.MEMORY, precision="", unit="bytes/s", size_unit="bytes of working set per rank"
)
_MIB = 2**20
# From a second-level cache to well beyond the last-level cache of a socket shared by several ranks.
_WORKING_SETS_ON_CPU = tuple(size * _MIB for size in (0.75, 3, 12, 48, 192, 768))
_WORKING_SETS_ON_ACCELERATOR = tuple(size * _MIB for size in (12, 48, 192, 768, 3072))
_SHARE_OF_FREE_MEMORY = 0.25
_ARRAYS = 3


def triad_rungs(device: torch.device, free_bytes: float) -> list[Rung]:
    """A = b + s c in float32; counted like STREAM: two reads and one write, no write-allocate.

    ``free_bytes`` is this rank's part of the free memory; larger working sets are left out.
    """
    sizes = _WORKING_SETS_ON_CPU if device.type == "cpu" else _WORKING_SETS_ON_ACCELERATOR
    rungs = []
    for size in sizes:
        count = int(size) // (4 * _ARRAYS)
        if size <= free_bytes * _SHARE_OF_FREE_MEMORY:
            work = float(4 * _ARRAYS * count)
            rungs.append(Rung(size=work, work=work, ways=(partial(_triad, count, device),)))
    return rungs


def _triad(count: int, device: torch.device) -> Probe:
    # full() touches the pages with the same threads that read them later.
    a, b, c = (torch.full((count,), value, device=device) for value in (0.0, 1.0, 2.0))
    return Probe(call=partial(torch.add, b, c, alpha=3.0, out=a))
