"""Samples made in memory in the shapes of a data set, to measure training without reading.

Counts follow the Poisson law of a mean of 1, as those of particles thrown at random; nothing can be learnt.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cosmology.layout import DatasetLayout

_LEVELS = 256
_MEAN_COUNT = 1.0


class SyntheticDataset:
    """Stands in for ``cosmology.dataset.Dataset``: the same samples for the same seed, and no files."""

    def __init__(self, definition: DatasetLayout, seed: int) -> None:
        self.definition = definition
        self._seed = seed
        self._quantiles = _quantiles()
        values = np.log1p(self._quantiles)
        channels = definition.sample_shape[0]
        self.channel_mean = np.full(channels, values.mean(), np.float32)
        """Mean of log(1 + counts) of each channel."""
        self.channel_std = np.full(channels, values.std(), np.float32)
        """Standard deviation of log(1 + counts) of each channel."""

    def __len__(self) -> int:
        return self.definition.num_samples

    def read(
        self, indices: Sequence[int] | NDArray[np.int64], planes: tuple[int, int] | None = None
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, x, y, z] and targets [batch, 4] of samples, or of their planes only."""
        channels, side, *_ = self.definition.sample_shape
        begin, end = planes or (0, side)
        counts = np.empty((len(indices), channels, end - begin, side, side), np.uint16)
        targets = np.empty((len(indices), 4), np.float32)
        for place, index in enumerate(indices):
            targets[place] = np.random.default_rng((self._seed, int(index))).uniform(-1, 1, 4)
            for plane in range(begin, end):
                generator = np.random.default_rng((self._seed, int(index), plane))
                levels = np.frombuffer(generator.bytes(channels * side * side), np.uint8)
                counts[place, :, plane - begin] = self._quantiles[levels].reshape(channels, side, side)
        return counts, targets

    def close(self) -> None:
        """Nothing is open."""


def _quantiles() -> NDArray[np.uint16]:
    """Counts of which an evenly chosen one follows the law, to 1 part in ``_LEVELS``."""
    chances = [math.exp(-_MEAN_COUNT) * _MEAN_COUNT**count / math.factorial(count) for count in range(12)]
    places = (np.arange(_LEVELS) + 0.5) / _LEVELS
    return np.searchsorted(np.cumsum(chances), places).astype(np.uint16)
