"""Batches as a step takes them: counts out of storage, normalised here unless the device shall do it."""

from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt16
from numpy.typing import NDArray
from torch import Tensor

from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.normaliser import Normalise
from workloads.cosmoflow.number_format import NumberFormat

Batch = tuple[
    Float[Tensor, "batch channel x y z"] | UInt16[Tensor, "batch channel x y z"], Float[Tensor, "batch 4"]
]
"""Grids, or the counts that they will be made of, and targets."""


class Readable(Protocol):
    """Samples to read."""

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, x, y, z] and targets [batch, 4] of some samples."""


class GridReader:
    """Reads one replica's part of each batch; several threads may do so at once."""

    def __init__(
        self,
        samples: Readable,
        order: BatchOrder,
        replica: int,
        normalise: Normalise | None,
        numbers: NumberFormat,
    ) -> None:
        """Without ``normalise`` it hands over counts."""
        self._samples = samples
        self._order = order
        self._replica = replica
        self._normalise = normalise
        self._numbers = numbers

    def read(self, step: int) -> Batch:
        """The batch of one step, in page-locked memory where a GPU takes it."""
        counts, known = self._samples.read(self._order.indices(step, self._replica))
        grids = torch.from_numpy(counts)
        if self._normalise is not None:
            grids = self._normalise(grids)
        targets = torch.from_numpy(known).to(self._numbers.weights)
        if self._numbers.device_type == "cpu":
            return grids, targets
        return grids.pin_memory(), targets.pin_memory()

    def blank(self, device: torch.device) -> Batch:
        """A batch of empty grids on a device, in all else as those that are read."""
        grids, targets = self.read(0)
        return torch.zeros_like(grids, device=device), torch.zeros_like(targets, device=device)
