"""What predicts cosmological parameters without a network: the constant, and a ridge on P(k) and PDF.

A network that learns less than the ridge adds nothing to two statistics that take a second to compute.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from augment.problem import ProblemError
from workloads.cosmoflow.evaluation import Errors, mean_absolute_errors
from workloads.cosmoflow.examples import Examples

FEWEST_UNIVERSES = 10
"""Fewer cannot be split often enough to choose a penalty."""
_MOST_SHELLS = 16
"""Of wave numbers, for each channel."""
_NUM_BINS = 16
"""Of counts, for each channel."""
_NUM_FOLDS = 5
_PENALTIES = np.logspace(-3, 5, 17)

Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ridge:
    """Linear in the logarithms of power spectra and in the shares of counts, with a penalty on weights."""

    statistics: "Statistics"
    centre: NDArray[np.float64]
    """[feature]."""
    scale: NDArray[np.float64]
    """[feature]."""
    weights: NDArray[np.float64]
    """[feature, target]."""
    offset: NDArray[np.float64]
    """[target]."""
    penalty: float
    """Chosen by folds over universes."""

    def predictions(self, examples: Examples) -> NDArray[np.float32]:
        """Normalised targets [sample, 4]."""
        features_NF = (self.statistics.features(examples) - self.centre) / self.scale
        predicted: NDArray[np.float32] = (features_NF @ self.weights + self.offset).astype(np.float32)
        return predicted

    def mean_absolute_errors(self, examples: Examples) -> Errors:
        """Errors of the four predictions on samples, normalised."""
        return mean_absolute_errors(self.predictions(examples), examples)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """Which statistics of a sample are taken: bins that were chosen on the samples to learn from."""

    edges: tuple[NDArray[np.float64], ...]
    """Upper bounds of the bins of counts of each channel; what lies above the last is a bin too."""
    mean: NDArray[np.float64]
    """Mean count of each channel: what a power spectrum is relative to."""

    @staticmethod
    def of(examples: Examples) -> "Statistics":
        """Bins that hold equal shares of the voxels, as far as whole counts allow."""
        shares = np.arange(1, _NUM_BINS) / _NUM_BINS
        by_channel = [examples.counts[:, channel] for channel in range(examples.counts.shape[1])]
        return Statistics(
            edges=tuple(np.unique(np.quantile(counts, shares)) for counts in by_channel),
            mean=np.array([max(float(counts.mean(dtype=np.float64)), 1e-9) for counts in by_channel]),
        )

    def features(self, examples: Examples) -> Features:
        """Statistics [sample, feature] of each sample."""
        return np.stack([self._of_sample(counts) for counts in examples.counts])

    def _of_sample(self, counts: NDArray[np.uint16]) -> NDArray[np.float64]:
        parts = []
        for channel, grid in enumerate(counts):
            overdensity = grid / self.mean[channel] - 1
            parts.append(np.log(_power(overdensity) + 1e-12))
            parts.append(_shares(grid, self.edges[channel]))
        return np.concatenate(parts)


def fit_ridge(train: Examples) -> Ridge:
    """The ridge with the penalty that predicts best universes which it was not fitted on.

    Raises:
        ProblemError: for fewer than ``FEWEST_UNIVERSES`` universes.
    """
    universes = np.unique(train.universes)
    if len(universes) < FEWEST_UNIVERSES:
        raise ProblemError(
            f"{len(universes)} universes are too few for a ridge; use at least {FEWEST_UNIVERSES}."
        )
    statistics = Statistics.of(train)
    features_NF = statistics.features(train)
    targets_NT = train.targets.astype(np.float64)
    centre_F, scale_F = features_NF.mean(axis=0), features_NF.std(axis=0)
    scale_F = np.where(scale_F > 0, scale_F, 1.0)
    features_NF = (features_NF - centre_F) / scale_F
    fold_N = np.searchsorted(universes, train.universes) % _NUM_FOLDS
    losses = np.zeros(len(_PENALTIES))
    for fold in range(_NUM_FOLDS):
        fitted, judged = fold_N != fold, fold_N == fold
        for place, (weights_FT, offset_T) in enumerate(_solutions(features_NF[fitted], targets_NT[fitted])):
            losses[place] += np.abs(features_NF[judged] @ weights_FT + offset_T - targets_NT[judged]).sum()
    best = int(losses.argmin())
    weights_FT, offset_T = _solutions(features_NF, targets_NT)[best]
    return Ridge(
        statistics=statistics,
        centre=centre_F,
        scale=scale_F,
        weights=weights_FT,
        offset=offset_T,
        penalty=float(_PENALTIES[best]),
    )


def ridge_errors(train: Examples, judged: Examples) -> Errors:
    """Mean absolute errors of a ridge fitted on ``train``, on other samples."""
    return fit_ridge(train).mean_absolute_errors(judged)


def constant_errors(train: Examples, judged: Examples) -> Errors:
    """Mean absolute errors of predicting always the median of the targets that were seen."""
    middle = np.median(train.targets, axis=0).astype(np.float32)
    return mean_absolute_errors(np.broadcast_to(middle, judged.targets.shape).copy(), judged)


def _solutions(
    features_NF: Features, targets_NT: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Weights and offset for each penalty, from one decomposition."""
    centre_F, mean_T = features_NF.mean(axis=0), targets_NT.mean(axis=0)
    left, singular, right = np.linalg.svd(features_NF - centre_F, full_matrices=False)
    projected = left.T @ (targets_NT - mean_T)
    found = []
    for penalty in _PENALTIES:
        weights_FT = right.T @ ((singular / (singular**2 + penalty))[:, None] * projected)
        found.append((weights_FT, mean_T - centre_F @ weights_FT))
    return found


def _power(overdensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean power of the waves in each shell of wave numbers, from the longest to Nyquist's."""
    side = overdensity.shape[0]
    power = np.abs(np.fft.rfftn(overdensity)) ** 2 / side**3
    shell, weight, num_shells = _shells(side)
    sums = np.bincount(shell, (power * weight).reshape(-1), minlength=num_shells + 1)
    waves = np.bincount(shell, np.broadcast_to(weight, power.shape).reshape(-1), minlength=num_shells + 1)
    return np.asarray(sums[1 : num_shells + 1] / np.maximum(waves[1 : num_shells + 1], 1))


def _shells(side: int) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Shell of every wave (0 for none), how many waves it stands for, and how many shells there are."""
    index = np.fft.fftfreq(side, 1 / side)
    half = np.fft.rfftfreq(side, 1 / side)
    length = np.sqrt(index[:, None, None] ** 2 + index[None, :, None] ** 2 + half[None, None, :] ** 2)
    bounds = np.unique(np.round(np.geomspace(1, side / 2 + 1, min(_MOST_SHELLS, side // 2) + 1)))
    shell = np.searchsorted(bounds, length.reshape(-1) + 0.5, side="right")
    shell[shell >= len(bounds)] = 0
    weight = np.where((half > 0) & (half < side / 2), 2.0, 1.0)[None, None, :]
    return shell, weight, len(bounds) - 1


def _shares(grid: NDArray[np.uint16], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the voxels in each bin of counts."""
    places = np.searchsorted(edges, grid.reshape(-1), side="left")
    return np.asarray(np.bincount(places, minlength=len(edges) + 1) / grid.size)
