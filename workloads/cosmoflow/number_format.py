"""The number formats of a training step in torch: weights, products, and the grids that a network reads."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from workloads.precision import Precision

TEST_PRECISION = "float64"
"""Outside the product's formats: shows that N ranks equal one, to the last digits."""
_CAST = {Precision.BFLOAT16: torch.bfloat16, Precision.FLOAT16: torch.float16}
"""Formats that weights are cast to for each product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberFormat:
    """In which numbers a step computes on one kind of device."""

    device_type: str
    weights: torch.dtype
    """Of weights, their gradients, targets and the loss."""
    grids: torch.dtype
    """Of what the network reads: that of its first convolution, so that a step casts no grid."""

    @property
    def scaled_on(self) -> str:
        """The type of the device on which the loss is scaled, or gradients would vanish; empty for others."""
        return self.device_type if self.grids == torch.float16 else ""

    def casting(self) -> AbstractContextManager[Any]:  # Any: what it gives is not used
        """In which the network is called."""
        if self.grids == self.weights:
            return nullcontext()
        # A pass uses each weight once: nothing is gained by keeping casts of it, and a recorded one must not.
        return torch.autocast(self.device_type, self.grids, cache_enabled=False)


def number_format(precision: str, device: torch.device) -> NumberFormat:
    """What ``precision`` means for a training step.

    Raises:
        ProblemError: for a precision that is not known.
    """
    if precision == TEST_PRECISION:
        return NumberFormat(device_type=device.type, weights=torch.float64, grids=torch.float64)
    grids = _CAST.get(Precision.named(precision), torch.float32)
    return NumberFormat(device_type=device.type, weights=torch.float32, grids=grids)
