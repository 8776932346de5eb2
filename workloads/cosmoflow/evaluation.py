"""What a network predicts for samples it did not learn from, and how far that is from their targets."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cosmology.architecture import Recipe
from cosmology.crops import turned
from cosmology.definition import NUM_SYMMETRIES
from cosmology.network import normalise
from workloads.cosmoflow.examples import Examples

_BATCH = 16
_STRIDE = 29
"""Views follow the symmetries in this stride, which shares no divisor with 48: even few differ much."""

Errors = tuple[float, float, float, float]
"""Mean absolute errors of Omega_m, sigma_8, n_s and H_0, normalised."""


def predictions(
    network: nn.Module, examples: Examples, reader: "Reader", num_views: int = 1
) -> NDArray[np.float32]:
    """Normalised targets [sample, 4] that a network reads, each the mean over symmetric views."""
    was_training = network.training
    network.eval()
    total = np.zeros((len(examples), 4), np.float64)
    with torch.inference_mode():
        for view in range(num_views):
            symmetry = view * _STRIDE % NUM_SYMMETRIES
            for begin in range(0, len(examples), _BATCH):
                cubes = [turned(cube, symmetry) for cube in examples.counts[begin : begin + _BATCH]]
                seen = network(reader.read(np.stack(cubes)))
                total[begin : begin + _BATCH] += seen.to("cpu", torch.float64).numpy()
    network.train(was_training)
    return (total / num_views).astype(np.float32)


def mean_absolute_errors(predicted: NDArray[np.float32], examples: Examples) -> Errors:
    """Of each of the four targets; a constant prediction is off by about 0.5."""
    errors = np.abs(predicted.astype(np.float64) - examples.targets).mean(axis=0)
    return (float(errors[0]), float(errors[1]), float(errors[2]), float(errors[3]))


class Reader:
    """Turns counts into what a network takes: normalised as its recipe asks, on its device."""

    def __init__(self, learnt_from: Examples, recipe: Recipe, device: torch.device) -> None:
        mean, std = learnt_from.moments
        self._mean_C = torch.from_numpy(mean)
        # A channel that never varies tells nothing, and must not be divided by zero.
        self._std_C = torch.from_numpy(np.where(std > 0, std, np.float32(1)))
        self._recipe = recipe
        self._device = device

    def read(self, counts: NDArray[np.uint16]) -> torch.Tensor:
        """Grids [batch, channel, x, y, z] of counts of the same shape."""
        grids = normalise(torch.from_numpy(counts), self._mean_C, self._std_C, self._recipe)
        return grids.to(self._device, memory_format=torch.channels_last_3d)
