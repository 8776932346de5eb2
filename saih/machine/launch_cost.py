"""Probe of launching: host time of an operation that computes next to nothing."""

from functools import partial

import torch

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

NAME = CurveName(kind=CeilingKind.LAUNCH, precision="", unit="s", size_unit="operations")


def launch_rung(device: torch.device) -> Rung:
    """Adding two single numbers into a third that exists already."""
    return Rung(size=1.0, work=1.0, ways=(partial(_addition, device),))


def _addition(device: torch.device) -> Probe:
    a, b, c = (torch.ones(1, device=device) for _ in range(3))
    return Probe(call=partial(torch.add, a, b, out=c))
