"""What ranks that share every sample bring to each other in the middle of a CosmoFlow training step.

Each divided convolution takes one plane of both neighbours (its halo) on the way forward, and hands back
the gradients of these planes on the way back; nobody needs those of the first convolution. A divided
normalisation sums its moments over all ranks, and their gradients. Before the first stage that is not
divided, or the dense layers, every rank gathers all slabs; on the way back each keeps its own part of a
gradient that all have. What checkpointing computes again it exchanges again. The exchange of weight gradients
is not in it.
"""

from dataclasses import dataclass

from cosmology.architecture import FINAL_SIDE, Convolution
from cosmology.division import SampleDivision
from workloads.cosmoflow.memory import FLOAT_BYTES
from workloads.precision import Precision

_MOMENTS = 2
"""A sum and a sum of squares of each group of channels; on the way back as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanges:
    """What the mean rank brings in one step; with both neighbours at a time counts as one exchange."""

    num_exchanges: int
    num_bytes: int


def step_exchanges(division: SampleDivision, batch: int, precision: Precision) -> Exchanges:
    """Exchanges of one step over ``batch`` samples that ranks divide so; none where one has them whole."""
    architecture = division.architecture
    if division.is_whole:
        return Exchanges(num_exchanges=0, num_bytes=0)
    num, num_bytes = 1, float(_gathered_bytes(division, batch, precision))
    for layer in architecture.convolutions:
        if not division.is_divided(layer.stage):
            continue
        forward_passes = 2 if architecture.is_computed_again(layer) else 1
        passes = forward_passes + (1 if layer.stage or layer.residual else 0)
        num += passes
        num_bytes += passes * _halo_bytes(layer, batch, precision, division.num_ranks)
        if architecture.is_normalised:
            num += forward_passes + 1
            num_bytes += (forward_passes + 1) * _MOMENTS * layer.num_groups * batch * FLOAT_BYTES
    return Exchanges(num_exchanges=num, num_bytes=round(num_bytes))


def _halo_bytes(layer: Convolution, batch: int, precision: Precision, num_ranks: int) -> float:
    """A plane to each neighbour; the first and the last rank have one only."""
    num_planes = 2 * (num_ranks - 1) / num_ranks
    return num_planes * batch * layer.in_channels * layer.side**2 * precision.itemsize


def _gathered_bytes(division: SampleDivision, batch: int, precision: Precision) -> int:
    """This rank's part of what all gather."""
    architecture = division.architecture
    last = division.num_divided_stages - 1
    side = max(FINAL_SIDE, architecture.resolution >> (last + 1))
    values = batch * architecture.stage_channels[last] * side**3
    return values // division.num_ranks * precision.itemsize
