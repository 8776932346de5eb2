"""Probes of memory: the four kernels of STREAM over growing working sets (McCalpin 1995)."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

_MIB = 2**20
# From a second-level cache to well beyond the last-level cache of a socket shared by several ranks. Where a
# cache ends rates fall within one doubling, which wider steps would smear over two.
_WORKING_SETS_ON_CPU = tuple(size * _MIB for size in (0.75, 1.5, 3, 6, 12, 24, 48, 96, 192, 768))
_WORKING_SETS_ON_ACCELERATOR = tuple(size * _MIB for size in (12, 48, 192, 768, 3072))
_SHARE_OF_FREE_MEMORY = 0.25
_FLOAT_BYTES = 4

_Kernel = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Callable[[], object]]
_KERNELS: Mapping[CeilingKind, tuple[int, _Kernel]] = MappingProxyType(
    {
        CeilingKind.MEMORY: (3, lambda a, b, c: partial(torch.add, b, c, alpha=3.0, out=a)),
        CeilingKind.MEMORY_COPY: (2, lambda a, _b, c: partial(a.copy_, c)),
        CeilingKind.MEMORY_SCALE: (2, lambda a, _b, c: partial(torch.mul, c, 3.0, out=a)),
        CeilingKind.MEMORY_ADD: (3, lambda a, b, c: partial(torch.add, b, c, out=a)),
    }
)
"""Arrays that a kernel touches, and the kernel."""
KINDS = tuple(_KERNELS)


def memory_name(kind: CeilingKind) -> CurveName:
    """The curve of one kernel."""
    return CurveName(kind=kind, precision="", unit="bytes/s", size_unit="bytes of working set per rank")


def memory_rungs(kind: CeilingKind, device: torch.device, free_bytes: float) -> list[Rung]:
    """A kernel in float32, counted like STREAM: every array once, no write-allocate.

    ``free_bytes`` is this rank's part of the free memory; larger working sets are left out.
    """
    num_arrays, kernel = _KERNELS[kind]
    sizes = _WORKING_SETS_ON_CPU if device.type == "cpu" else _WORKING_SETS_ON_ACCELERATOR
    rungs = []
    for size in sizes:
        count = int(size) // (_FLOAT_BYTES * num_arrays)
        if size <= free_bytes * _SHARE_OF_FREE_MEMORY:
            work = float(_FLOAT_BYTES * num_arrays * count)
            rungs.append(
                Rung(size=work, work=work, ways=(partial(_probe, kernel, num_arrays, count, device),))
            )
    return rungs


def _probe(kernel: _Kernel, num_arrays: int, count: int, device: torch.device) -> Probe:
    # full() touches the pages with the same threads that read them later.
    a, c = (torch.full((count,), value, device=device) for value in (0.0, 2.0))
    b = torch.full((count,), 1.0, device=device) if num_arrays == 3 else c
    return Probe(call=kernel(a, b, c))
