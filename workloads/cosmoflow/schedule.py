"""How fast CosmoFlow learns: step sizes for a network and a batch, and how they are approached.

Momentum SGD keeps its rate while the width grows to four times the reference's, and lowers it in proportion
beyond. Residual branches scaled by 1/sqrt(their number) keep the size of an update at any depth (Bordelon et
al. 2023, arXiv:2309.16620).
"""

import math

from cosmology.architecture import REFERENCE, Architecture, Recipe

MOMENTUM = 0.9
_TUNED_BATCH = 32
_REFERENCE_RATE = 0.004
_REFERENCE_EXPONENT = math.log(0.024 / _REFERENCE_RATE) / math.log(512 / _TUNED_BATCH)
"""Of the power law through the two tuned public MLPerf settings: 0.004 at batch 32, 0.024 at 512."""
_SCALED_RATE = 0.02
"""Standardised inputs and a zero last layer bear five times the reference's rate: on log-normal counts 7
members from 8^3 to 32^3, of width 8 to 256 and depth 1 to 12, lowered their loss within 90 steps at
batches 1 to 64 (one seed each), and none diverged."""
_SCALED_BATCH_LIMIT = 128
"""No faster beyond this batch, where nothing was tried."""
_REFERENCE_WIDTH = REFERENCE.stage_channels[0]
_WIDTH_LIMIT = 4 * _REFERENCE_WIDTH
"""Up to 4 x the reference width SGD keeps its rate; wider networks need it smaller in proportion."""
_DEPTH_LIMIT = 36
"""Convolutions of the deepest member that the rates were tried on: 12 in each of 3 stages."""
_DEPTH_EXPONENT = -1.5
"""Of the largest stable rate over effective depth in networks without scaled branches (arXiv:2602.07494):
deeper than was tried, the rate falls as if the branches were not scaled."""


def learning_rate(architecture: Architecture, global_batch: int) -> float:
    """Peak step size of momentum SGD for ``global_batch`` samples over all ranks.

    It grows with the square root of the batch. The linear rule (Goyal et al. 2017) holds for plain SGD below
    a critical batch; the reference's two tuned settings, from batch 32 to 512, follow the exponent 0.65.
    """
    if architecture.recipe is Recipe.REFERENCE:
        return float(_REFERENCE_RATE * (global_batch / _TUNED_BATCH) ** _REFERENCE_EXPONENT)
    width_factor = min(1.0, _WIDTH_LIMIT / architecture.stage_channels[0])
    return _SCALED_RATE * _batch_factor(global_batch) * width_factor * depth_guard(architecture)


def depth_guard(architecture: Architecture) -> float:
    """Factor of every rate: 1 up to the depth that rates were tried on, less beyond."""
    depth = len(architecture.stage_channels) + architecture.num_residuals
    return float(min(1.0, (depth / _DEPTH_LIMIT) ** _DEPTH_EXPONENT))


def _batch_factor(global_batch: int) -> float:
    return math.sqrt(min(global_batch, _SCALED_BATCH_LIMIT) / _TUNED_BATCH)
