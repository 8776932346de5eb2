"""Probes of copies between a host's memory and a device's, from pinned and from pageable memory."""

from functools import partial

import torch

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

KINDS = (CeilingKind.HOST_TO_DEVICE, CeilingKind.DEVICE_TO_HOST)
PINNED, PAGEABLE = "pinned", "pageable"
_SIZES_BYTES = (2**12, 2**16, 2**20, 2**24, 2**28)


def copy_name(kind: CeilingKind, variant: str) -> CurveName:
    """The curve of one direction from one kind of memory."""
    return CurveName(kind=kind, precision="", unit="bytes/s", size_unit="bytes", variant=variant)


def copy_rungs(kind: CeilingKind, variant: str, device: torch.device) -> list[Rung]:
    """Copies of growing size, each waited for; only where the device is not the host."""
    return [
        Rung(size=float(size), work=float(size), ways=(partial(_probe, kind, variant, size, device),))
        for size in _SIZES_BYTES
    ]


def _probe(kind: CeilingKind, variant: str, size: int, device: torch.device) -> Probe:
    there = torch.zeros(size, dtype=torch.uint8, device=device)
    here = torch.zeros(size, dtype=torch.uint8, pin_memory=variant == PINNED)
    target, source = (there, here) if kind is CeilingKind.HOST_TO_DEVICE else (here, there)
    return Probe(call=partial(target.copy_, source, non_blocking=variant == PINNED))
