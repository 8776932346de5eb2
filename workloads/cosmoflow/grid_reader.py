"""Batches as the network reads them: counts out of storage, normalised by the loader or by the device."""

from typing import Protocol, Self

import numpy as np
import torch
from jaxtyping import Float, UInt16
from numpy.typing import NDArray
from torch import Tensor

from cosmology import network
from cosmology.architecture import Recipe
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.number_format import NumberFormat
from workloads.execution import Inputs, Layout

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels_first": torch.contiguous_format,
    "channels_last": torch.channels_last_3d,
}
"""Convolutions and poolings mostly run 1.5 to 2 times as fast with channels last, on CPUs too."""

Batch = tuple[
    Float[Tensor, "batch channel x y z"] | UInt16[Tensor, "batch channel x y z"], Float[Tensor, "batch 4"]
]
"""Grids, or the counts that they will be made of, and targets."""


class Samples(Protocol):
    """A data set to read from."""

    @property
    def channel_mean(self) -> NDArray[np.float32]:
        """Mean of log(1 + count) of each channel."""

    @property
    def channel_std(self) -> NDArray[np.float32]:
        """Its standard deviation."""

    def read(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, x, y, z] and targets [batch, 4] of some samples."""


class Normaliser:
    """Makes normalised grids of counts, in the layout and format that the network reads."""

    def __init__(
        self, mean_C: Tensor, std_C: Tensor, recipe: Recipe, grids: torch.dtype, layout: Layout
    ) -> None:
        self._mean_C = mean_C
        self._std_C = std_C
        self._recipe = recipe
        self._layout = layout
        self.dtype = grids

    def __call__(
        self, counts_BCXYZ: UInt16[Tensor, "batch channel x y z"]
    ) -> Float[Tensor, "batch channel x y z"]:
        """The grids of some samples, on the device of the counts."""
        grids_BCXYZ = network.normalise(counts_BCXYZ, self._mean_C, self._std_C, self._recipe)
        return grids_BCXYZ.to(self.dtype, memory_format=self.memory_format)

    @property
    def memory_format(self) -> torch.memory_format:
        """Order of a grid's values."""
        return MEMORY_FORMATS[self._layout]

    def on(self, device: torch.device) -> Self:
        """The same for counts on another device."""
        mean_C, std_C = self._mean_C.to(device), self._std_C.to(device)
        return type(self)(mean_C, std_C, self._recipe, self.dtype, self._layout)


class GridReader:
    """Reads one replica's part of each batch; several threads may do so at once."""

    def __init__(
        self,
        samples: Samples,
        order: BatchOrder,
        replica: int,
        normaliser: Normaliser,
        numbers: NumberFormat,
        inputs: Inputs,
    ) -> None:
        self.normaliser = normaliser
        self._samples = samples
        self._order = order
        self._replica = replica
        self._numbers = numbers
        self._hands_counts = inputs == "counts"

    def read(self, step: int) -> Batch:
        """The batch of one step, in page-locked memory where a GPU takes it."""
        counts, known = self._samples.read(self._order.indices(step, self._replica))
        grids = torch.from_numpy(counts)
        if not self._hands_counts:
            grids = self.normaliser(grids)
        targets = torch.from_numpy(known).to(self._numbers.weights)
        if self._numbers.device_type == "cpu":
            return grids, targets
        return grids.pin_memory(), targets.pin_memory()

    def blank(self, device: torch.device) -> Batch:
        """A batch of empty grids on a device, in all else as those that are read."""
        grids, targets = self.read(0)
        return torch.zeros_like(grids, device=device), torch.zeros_like(targets, device=device)
