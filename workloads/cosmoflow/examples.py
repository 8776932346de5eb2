"""Samples held in memory, to learn from again and again: counts, targets, and whose universe they show."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from augment.problem import ProblemError
from cosmology.crops import turned
from cosmology.dataset import Dataset
from cosmology.definition import NUM_SYMMETRIES

MAX_BYTES = 16 << 30
"""No more counts are held in memory, however much of it there is."""
_READ_SAMPLES = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Some samples of a data set; rows of all arrays belong together."""

    counts: NDArray[np.uint16]
    """[sample, channel, x, y, z]."""
    targets: NDArray[np.float32]
    """[sample, 4]: Omega_m, sigma_8, n_s and H_0, normalised to [-1, 1]."""
    universes: NDArray[np.int64]
    """[sample]: number of the universe that each shows; samples of one share their targets."""
    is_periodic: bool = False
    """Whether samples are whole boxes, which may be rolled: what leaves one face enters the opposite."""

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of log(1 + counts) of each channel."""
        by_channel = [_moments(self.counts[:, channel]) for channel in range(self.counts.shape[1])]
        means, stds = zip(*by_channel, strict=True)
        return np.array(means, np.float32), np.array(stds, np.float32)

    def rows(self, places: NDArray[np.int64] | Sequence[int]) -> "Examples":
        """The samples in these places, in this order."""
        chosen = np.asarray(places, np.int64)
        return replace(
            self, counts=self.counts[chosen], targets=self.targets[chosen], universes=self.universes[chosen]
        )

    def of_universes(self, universes: Sequence[int]) -> "Examples":
        """All samples that show one of these universes."""
        return self.rows(np.flatnonzero(np.isin(self.universes, np.asarray(universes))))

    def split(self, validation_share: float) -> tuple["Examples", "Examples"]:
        """Samples to learn from, and those of the last universes, to judge by; none shows one of the other's.

        Raises:
            ProblemError: when either part would be empty.
        """
        numbers = np.unique(self.universes)
        kept = len(numbers) - round(validation_share * len(numbers))
        if not 0 < kept < len(numbers):
            raise ProblemError(
                f"{len(numbers)} universes cannot be split so that {validation_share:.0%} of them judge; "
                "use more universes."
            )
        return self.of_universes(numbers[:kept].tolist()), self.of_universes(numbers[kept:].tolist())

    def with_shuffled_targets(self, seed: int) -> "Examples":
        """The same grids, each universe with the targets of another: nothing can be learnt from them."""
        numbers, first, group = np.unique(self.universes, return_index=True, return_inverse=True)
        order = np.random.default_rng(seed).permutation(len(numbers))
        return replace(self, targets=self.targets[first[order]][group])


def read_examples(dataset: Dataset, *, at_most: int | None = None, most_bytes: int = MAX_BYTES) -> Examples:
    """All samples of a data set, or its first ``at_most``, which are as diverse as can be.

    Raises:
        ProblemError: when they would fill more than ``most_bytes``.
        DatasetError: when a sample does not verify.
    """
    definition = dataset.definition
    num_samples = min(len(dataset), at_most or len(dataset))
    num_bytes = num_samples * definition.sample_bytes
    if num_bytes > most_bytes:
        raise ProblemError(
            f"{num_samples} samples of {definition.resolution}^3 take {num_bytes / 1e9:.3g} GB, above the "
            f"{most_bytes / 1e9:.3g} GB that are held in memory; use fewer samples or a lower resolution."
        )
    counts = np.empty((num_samples, *definition.sample_shape), np.uint16)
    targets = np.empty((num_samples, 4), np.float32)
    for begin in range(0, num_samples, _READ_SAMPLES):
        places = range(begin, min(begin + _READ_SAMPLES, num_samples))
        counts[places.start : places.stop], targets[places.start : places.stop] = dataset.read(places)
    return Examples(
        counts=counts,
        targets=targets,
        universes=np.array([definition.place_of(sample)[0] for sample in range(num_samples)], np.int64),
        is_periodic=definition.is_whole_box,
    )


def moved(examples: Examples, place: int, generator: np.random.Generator) -> NDArray[np.uint16]:
    """One sample [channel, x, y, z] turned by chance, and rolled by chance where it is a whole box.

    Its targets hold for the result as for itself.
    """
    cube = turned(examples.counts[place], int(generator.integers(NUM_SYMMETRIES)))
    if not examples.is_periodic:
        return cube
    shifts = generator.integers(cube.shape[-1], size=3)
    return np.roll(cube, tuple(int(shift) for shift in shifts), (1, 2, 3))


def _moments(counts: NDArray[np.uint16]) -> tuple[float, float]:
    """Of log(1 + counts), from an exact histogram."""
    histogram = np.bincount(counts.reshape(-1))
    values = np.log1p(np.arange(len(histogram)))
    mean = float(np.average(values, weights=histogram))
    return mean, float(np.sqrt(np.average((values - mean) ** 2, weights=histogram)))
