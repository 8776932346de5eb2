"""Memory of one CosmoFlow training step on one rank, from the network's shape."""

from augment.data import COUNT_BYTES
from cosmology.architecture import Architecture
from workloads.precision import Precision

FLOAT_BYTES = 4
INDEX_BYTES = 8
"""torch keeps a 64-bit index for each pooled value."""
_STATES_PER_PARAMETER = 3
"""Weight, gradient and momentum."""
_BATCHES_AHEAD = 3
"""Two waiting and one being read, while one is in work."""


def saved_activation_bytes(architecture: Architecture, batch: int, precision: Precision) -> int:
    """Bytes of activations that the forward pass keeps for the backward pass, weights not counted.

    Every convolution and dense layer keeps its input, every activation its result (shared with the next
    layer's input where nothing lies between), every pooling its indices, tanh its result.
    """
    e = precision.itemsize
    per_sample = architecture.channels * architecture.resolution**3 * e
    for stage, channels in enumerate(architecture.stage_channels):
        values = channels * (architecture.resolution >> stage) ** 3
        kept = 1 + 2 * architecture.residuals_per_stage  # a branch and its sum for each residual
        per_sample += values * kept * e + values // 8 * (INDEX_BYTES + e)
    per_sample += sum(layer.out_features for layer in architecture.dense_layers) * e
    return batch * per_sample


def peak_memory_bytes(architecture: Architecture, batch: int, precision: Precision) -> int:
    """Peak bytes of one rank's tensors during a step, reached in the backward pass of the first stage.

    An estimate: what is kept for backward is exact; on top come the gradients in flight of the first
    stage's activations (two, and the running sum's where there are residuals) and one copy of such a
    tensor in the convolution library's own layout, which that library holds in float32. A gradient
    exchange's buckets are not in it.
    """
    largest = batch * architecture.stage_channels[0] * architecture.resolution**3
    gradients_in_flight = 3 if architecture.residuals_per_stage else 2
    batch_values = batch * architecture.channels * architecture.resolution**3
    return (
        _STATES_PER_PARAMETER * FLOAT_BYTES * architecture.num_parameters
        + saved_activation_bytes(architecture, batch, precision)
        + largest * (gradients_in_flight * precision.itemsize + FLOAT_BYTES)
        + _cast_bytes(architecture, batch_values, precision)
        + _BATCHES_AHEAD * batch_values * (COUNT_BYTES + FLOAT_BYTES)
    )


def _cast_bytes(architecture: Architecture, batch_values: int, precision: Precision) -> int:
    """Bytes that stand beside their copies in the step's precision: the cast weights, the float32 input."""
    if precision is Precision.FLOAT32:
        return 0
    return architecture.num_parameters * precision.itemsize + batch_values * FLOAT_BYTES
