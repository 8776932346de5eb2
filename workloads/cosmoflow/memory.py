"""Memory of one CosmoFlow training step on one rank, from the network's shape."""

from augment.data import COUNT_BYTES
from cosmology.architecture import Architecture, Convolution
from workloads.precision import Precision

FLOAT_BYTES = 4
INDEX_BYTES = 8
"""torch keeps a 64-bit index for each pooled value."""
_STATES_PER_PARAMETER = 3
"""Weight, gradient and momentum."""
_BATCHES_AHEAD = 3
"""Two waiting and one being read, while one is in work."""
_POOLED_VOXELS = 8
"""A 2^3 pooling keeps one voxel of these."""


def saved_activation_bytes(architecture: Architecture, batch: int, precision: Precision) -> int:
    """Bytes of activations that the forward pass keeps for the backward pass, weights not counted.

    Every convolution and dense layer keeps its input, every activation its result (shared with the next
    layer's input where nothing lies between), every normalisation its input and its moments, every pooling
    its indices, tanh its result. With checkpointing only what enters and leaves stages is kept.
    """
    e = precision.itemsize
    # What is kept to compute a stage again is kept as it came, before any cast.
    entering = FLOAT_BYTES if architecture.is_checkpointed else e
    per_sample = architecture.channels * architecture.resolution**3 * entering
    per_sample += sum(layer.out_features for layer in architecture.dense_layers) * e
    for stage in range(len(architecture.stage_channels)):
        per_sample += _stage_values(architecture, stage) // _POOLED_VOXELS * e
        if not architecture.is_checkpointed:
            per_sample += _inner_bytes(architecture, stage, e)
    return batch * per_sample


def recomputed_bytes(architecture: Architecture, batch: int, precision: Precision) -> int:
    """Most bytes of activations that the backward pass computes again at a time: those of one stage."""
    if not architecture.is_checkpointed:
        return 0
    stages = range(len(architecture.stage_channels))
    return batch * max(_inner_bytes(architecture, stage, precision.itemsize) for stage in stages)


def peak_memory_bytes(architecture: Architecture, batch: int, precision: Precision) -> int:
    """Peak bytes of one rank's tensors during a step, reached in the backward pass of the first stage.

    An estimate: what is kept for backward is exact; on top come what is computed again at a time, the
    gradients in flight of the first stage's activations (two, and the running sum's where there are
    residuals) and one copy of such a tensor in the convolution library's own layout, which that library
    holds in float32. A gradient exchange's buckets are not in it.
    """
    largest = batch * architecture.stage_channels[0] * architecture.resolution**3
    gradients_in_flight = 3 if architecture.residuals_per_stage else 2
    batch_values = batch * architecture.channels * architecture.resolution**3
    return (
        _STATES_PER_PARAMETER * FLOAT_BYTES * architecture.num_parameters
        + saved_activation_bytes(architecture, batch, precision)
        + recomputed_bytes(architecture, batch, precision)
        + largest * (gradients_in_flight * precision.itemsize + FLOAT_BYTES)
        + _cast_bytes(architecture, batch_values, precision)
        + _BATCHES_AHEAD * batch_values * (COUNT_BYTES + FLOAT_BYTES)
    )


def _stage_values(architecture: Architecture, stage: int) -> int:
    """Values of one convolution's result of one sample."""
    return architecture.stage_channels[stage] * (architecture.resolution >> stage) ** 3


def _inner_bytes(architecture: Architecture, stage: int, itemsize: int) -> int:
    """What the layers inside a stage keep for one sample: all but its input and its result."""
    residuals, values = architecture.residuals_per_stage, _stage_values(architecture, stage)
    kept = 1 + 2 * residuals  # a branch and its sum for each residual
    moments = 0
    if architecture.is_normalised:
        kept += 1 + residuals
        moments = 2 * (1 + residuals) * _num_groups(architecture, stage)
    return (values * kept + moments) * itemsize + values // _POOLED_VOXELS * INDEX_BYTES


def _num_groups(architecture: Architecture, stage: int) -> int:
    channels = architecture.stage_channels[stage]
    layer = Convolution(stage=stage, residual=0, side=1, in_channels=channels, out_channels=channels)
    return layer.num_groups


def _cast_bytes(architecture: Architecture, batch_values: int, precision: Precision) -> int:
    """Bytes that stand beside their copies in the step's precision: the cast weights, the float32 input."""
    if precision is Precision.FLOAT32:
        return 0
    return architecture.num_parameters * precision.itemsize + batch_values * FLOAT_BYTES
