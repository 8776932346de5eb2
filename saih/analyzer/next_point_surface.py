"""A Gaussian process over log sizes: log(step) as a plane and what deviates from it, with its doubt.

Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, chapter 2. How far and over how many
octaves the step deviates is averaged over, weighted by how well each explains the measured points: the
points are too few to choose. Shapes: N measured points, D axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_OCTAVES = (2.0, 4.0, 8.0, 16.0)
"""Over how many doublings of a size deviations stay alike."""
_SPREADS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations of log(step) around the plane."""
_SLOPE = 1.0
"""Standard deviation of the slopes of the plane; a step grows as a size to the power 0 to 1."""
_LEVEL = 3.0
"""Standard deviation of the level of the plane around the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    weight: float
    octaves: float
    spread: float
    inverse: Array
    solved: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Weighted processes over the same points."""

    sizes: Array
    """Octaves, ``[N, D]``."""
    mean: float
    members: Sequence[_Member]

    def at(self, targets: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of log(step) at ``[T, D]`` octaves, the spread of members in it."""
        centre = self.sizes.mean(axis=0)
        means, variances, weights = [], [], []
        for member in self.members:
            cross = _covariance(targets - centre, self.sizes - centre, member.octaves, member.spread)
            own = np.array(
                [
                    _covariance(row[None] - centre, row[None] - centre, member.octaves, member.spread)[0, 0]
                    for row in targets
                ]
            )
            means.append(self.mean + cross @ member.solved)
            variances.append(np.maximum(own - np.einsum("ij,jk,ik->i", cross, member.inverse, cross), 0.0))
            weights.append(member.weight)
        shares = np.array(weights)
        logs = np.array(means)
        mean = shares @ logs
        variance = shares @ (np.array(variances) + (logs - mean) ** 2)
        return np.asarray(mean), np.sqrt(variance)


def fit_surface(sizes: Array, logs: Array, noise: float) -> Surface:
    """The surface through measured points: octaves ``[N, D]``, log(step) ``[N]`` and its noise."""
    mean = float(logs.mean())
    centred = sizes - sizes.mean(axis=0)
    members, evidence = [], []
    for octaves, spread in product(_OCTAVES, _SPREADS):
        covariance = _covariance(centred, centred, octaves, spread) + noise**2 * np.eye(len(logs))
        inverse = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
        solved = inverse @ (logs - mean)
        _, determinant = np.linalg.slogdet(covariance)
        evidence.append(-0.5 * float((logs - mean) @ solved + determinant))
        members.append((octaves, spread, inverse, solved))
    weights = np.exp(np.array(evidence) - max(evidence))
    weights /= weights.sum()
    return Surface(
        sizes=sizes,
        mean=mean,
        members=[
            _Member(weight=float(weight), octaves=octaves, spread=spread, inverse=inverse, solved=solved)
            for weight, (octaves, spread, inverse, solved) in zip(weights, members, strict=True)
            if weight > 1e-6
        ],
    )


def _covariance(left: Array, right: Array, octaves: float, spread: float) -> Array:
    squares = ((left[:, None, :] - right[None, :, :]) ** 2).sum(axis=2)
    near = spread**2 * np.exp(-0.5 * squares / octaves**2)
    return np.asarray(near + _LEVEL**2 + _SLOPE**2 * (left @ right.T))
