"""Normalised grids out of counts, in the layout and number format that the network reads."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, UInt16
from torch import Tensor

from cosmology import network
from cosmology.architecture import Recipe
from cosmology.kernels import native
from workloads.cosmoflow.number_format import NumberFormat
from workloads.execution import Execution, Layout

MEMORY_FORMATS: dict[Layout, torch.memory_format] = {
    "channels_first": torch.contiguous_format,
    "channels_last": torch.channels_last_3d,
}
"""Convolutions and poolings mostly run 1.5 to 2 times as fast with channels last, on CPUs too."""
_CPU = torch.device("cpu")


class Normalise(Protocol):
    """Makes normalised grids of counts."""

    def __call__(
        self, counts_BCXYZ: UInt16[Tensor, "batch channel x y z"], /
    ) -> Float[Tensor, "batch channel x y z"]:
        """The grids of some samples, on the device of the counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """What an execution wants of counts; the loader and the device may each do it."""

    channel_mean: Float[Tensor, " channel"]
    """Of log(1 + count), on the CPU."""
    channel_std: Float[Tensor, " channel"]
    recipe: Recipe
    numbers: NumberFormat
    execution: Execution

    def in_loader(self) -> Normalise:
        """In a thread beside those of the step, which need the other cores."""
        return self._looked_up(1) if self._is_looked_up else self._computed(_CPU)

    def on(self, device: torch.device) -> Normalise:
        """In the step, on its device."""
        return self._looked_up(torch.get_num_threads()) if self._is_looked_up else self._computed(device)

    @property
    def _is_looked_up(self) -> bool:
        execution, numbers = self.execution, self.numbers
        is_in_order = execution.kernels == "own" and execution.layout == "channels_last"
        return is_in_order and numbers.device_type == "cpu" and numbers.grids in native.FORMATS

    def _computed(self, device: torch.device) -> "ComputingNormaliser":
        return ComputingNormaliser(
            self.channel_mean.to(device),
            self.channel_std.to(device),
            self.recipe,
            self.numbers.grids,
            MEMORY_FORMATS[self.execution.layout],
        )

    def _looked_up(self, num_threads: int) -> "TableNormaliser":
        counts = torch.arange(native.NUM_COUNTS, dtype=torch.int32).to(torch.uint16).view(1, 1, -1, 1, 1)
        num_channels = len(self.channel_mean)
        grids = self._computed(_CPU)(counts.expand(1, num_channels, -1, 1, 1))
        return TableNormaliser(grids.reshape(num_channels, -1).contiguous(), num_threads)


class ComputingNormaliser:
    """Operation by operation, on any device."""

    def __init__(
        self,
        mean_C: Tensor,
        std_C: Tensor,
        recipe: Recipe,
        grids: torch.dtype,
        memory_format: torch.memory_format,
    ) -> None:
        self._mean_C = mean_C
        self._std_C = std_C
        self._recipe = recipe
        self._dtype = grids
        self._memory_format = memory_format

    def __call__(
        self, counts_BCXYZ: UInt16[Tensor, "batch channel x y z"], /
    ) -> Float[Tensor, "batch channel x y z"]:
        """The grids of some samples, on the device of the counts."""
        grids_BCXYZ = network.normalise(counts_BCXYZ, self._mean_C, self._std_C, self._recipe)
        # First cast, then put in order: torch takes half as long again for both at once.
        return grids_BCXYZ.to(self._dtype).contiguous(memory_format=self._memory_format)


class TableNormaliser:
    """By one pass over memory that looks up what each count becomes: the same bits, on CPUs."""

    def __init__(self, tables: Float[Tensor, "channel 65536"], num_threads: int) -> None:
        self._tables = tables
        self._num_threads = num_threads

    def __call__(
        self, counts_BCXYZ: UInt16[Tensor, "batch channel x y z"], /
    ) -> Float[Tensor, "batch channel x y z"]:
        """The grids of some samples, channels last."""
        return native.look_up(counts_BCXYZ, self._tables, self._num_threads)
