"""The one-point law of the data: which share of voxels holds how many particles, against stored shares.

A change of solver, painting or parameters moves these shares; a change of machine or of ranks does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmology.definition import UniverseDefinition
from cosmology.one_point_law import STORED, StoredLaw

MOST_COUNTS = (0, 1, 2, 4, 8, 16)
"""Shares are of voxels that hold at most so many particles."""
_LEAST_SCATTER = 1e-4
"""So that a few voxels of a share near 1 are no departure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePoint:
    """Of one redshift."""

    redshift: float
    shares: tuple[float, ...]
    """Of voxels with at most 0, 1, 2, 4, 8 and 16 particles."""
    departure: float
    """Largest difference from the stored shares, in standard errors of the mean over universes."""


def stored_law(definition: UniverseDefinition) -> StoredLaw | None:
    """The stored shares of such universes; None where none were stored."""
    for law in STORED:
        same = UniverseDefinition(
            seed=definition.seed, side=law.side, base_box_mpc_per_h=law.base_box_mpc_per_h
        )
        if same == definition:
            return law
    return None


def one_point(histograms: Sequence[NDArray[np.int64]], law: StoredLaw, num_universes: int) -> list[OnePoint]:
    """Shares and departures of each channel from histograms of counts over whole universes.

    The parameters of universes move the shares more than waves do, so that the error of a mean over universes
    is the stored scatter between them over the root of their number.
    """
    found = []
    for redshift, histogram in zip(law.redshifts, histograms, strict=False):
        shares = shares_of(histogram)
        of_redshift = law.redshifts.index(redshift)
        mean, scatter = law.means[of_redshift], law.scatters[of_redshift]
        error = np.maximum(scatter, _LEAST_SCATTER) * np.sqrt(1 / num_universes + 1 / law.num_universes)
        departures = np.abs(np.array(shares) - mean) / error
        found.append(OnePoint(redshift=redshift, shares=shares, departure=float(departures.max())))
    return found


def shares_of(histogram: NDArray[np.int64]) -> tuple[float, ...]:
    """Shares of voxels with at most 0, 1, 2, 4, 8 and 16 particles."""
    return tuple(float(histogram[: most + 1].sum() / histogram.sum()) for most in MOST_COUNTS)
