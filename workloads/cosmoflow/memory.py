"""Memory of one CosmoFlow training step on one rank, from the network's shape and the step's execution."""

from dataclasses import dataclass

from augment.data import COUNT_BYTES
from cosmology.architecture import FINAL_SIDE, Architecture, Convolution
from cosmology.division import SampleDivision
from workloads.execution import PLAIN, Execution
from workloads.precision import Precision

FLOAT_BYTES = 4
INDEX_BYTES = 8
"""torch keeps a 64-bit index for each pooled value."""
_STATES_PER_PARAMETER = 3
"""Weight, gradient and momentum."""
_BATCHES_AHEAD = 3
"""Two waiting and one being made, while one is in work."""
_ON_DEVICE_AHEAD = 1
"""Of these, where a GPU computes, the one that is on it already."""
_MADE_OF_BYTES = COUNT_BYTES + FLOAT_BYTES
"""For each value of a batch that a loader normalises: its count, and a number before its last cast."""
_OWN_INDEX_BYTES = 1
"""Of SAIH's own kernels."""
_POOLED_VOXELS = 8
"""A 2^3 pooling keeps one voxel of these."""
_MOST_NEIGHBOURS = 2
"""Each brings one plane to every convolution, which keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMemory:
    """Bytes of one rank's tensors in a step over ``batch`` samples, which ranks divide so."""

    division: SampleDivision
    batch: int
    precision: Precision
    execution: Execution = PLAIN

    @property
    def saved_activation_bytes(self) -> int:
        """Activations that the forward pass keeps for the backward pass, weights not counted.

        Every convolution and dense layer keeps its input (and what neighbours brought to it), every
        activation its result (shared with the next layer's input where nothing lies between), every
        normalisation its input and its moments, every pooling its indices, tanh its result. With
        checkpointing only what enters and leaves stages is kept.
        """
        architecture, e = self.architecture, self.precision.itemsize
        per_sample = self._input_values * e
        per_sample += sum(layer.out_features for layer in architecture.dense_layers) * e
        for stage in range(len(architecture.stage_channels)):
            per_sample += self._left_values(stage) * e
            if not architecture.is_checkpointed:
                per_sample += self._inner_bytes(stage)
        return self.batch * per_sample

    @property
    def recomputed_bytes(self) -> int:
        """Most bytes of activations that the backward pass computes again at a time: those of one stage."""
        if not self.architecture.is_checkpointed:
            return 0
        return self.batch * max(map(self._inner_bytes, range(len(self.architecture.stage_channels))))

    @property
    def peak_bytes(self) -> int:
        """The peak during a step, reached in the backward pass of the first stage.

        An estimate: what is kept for backward is exact; on top come what is computed again at a time, the
        gradients in flight of the first stage's activations (two, and the running sum's where there are
        residuals; own kernels have one less without) and one copy of such a tensor in the convolution
        library's own layout, which that library holds in float32. A gradient exchange's buckets are not in
        it.
        """
        largest = self.batch * self._stage_values(0)
        return (
            _STATES_PER_PARAMETER * FLOAT_BYTES * self.architecture.num_parameters
            + self.saved_activation_bytes
            + self.recomputed_bytes
            + largest * (self._gradients_in_flight * self.precision.itemsize + FLOAT_BYTES)
            + self._cast_bytes
            + self.host_bytes
            + self._device_batch_bytes
        )

    @property
    def host_bytes(self) -> int:
        """Part of the peak that a GPU leaves to its host: batches that are made, or wait there."""
        making = 0 if self._has_counts else self.batch * self._input_values * _MADE_OF_BYTES
        return (_BATCHES_AHEAD - _ON_DEVICE_AHEAD) * self._handed_bytes + making

    @property
    def architecture(self) -> Architecture:
        """The network that is trained."""
        return self.division.architecture

    @property
    def _input_values(self) -> int:
        """Of one sample on this rank."""
        architecture = self.architecture
        return architecture.channels * self.division.planes(0) * architecture.resolution**2

    @property
    def _handed_bytes(self) -> int:
        """Of a batch as the loader hands it over."""
        value_bytes = COUNT_BYTES if self._has_counts else self.precision.itemsize
        return self.batch * self._input_values * value_bytes

    @property
    def _device_batch_bytes(self) -> int:
        """Of batches where the network is, besides what it reads: one ahead, counts in work, a static one."""
        num_batches = _ON_DEVICE_AHEAD + self._has_counts + (self.execution.graph == "step")
        return num_batches * self._handed_bytes

    @property
    def _has_counts(self) -> bool:
        return self.execution.inputs == "counts"

    @property
    def _has_own_kernels(self) -> bool:
        return self.execution.kernels == "own"

    @property
    def _gradients_in_flight(self) -> int:
        if self.architecture.residuals_per_stage:
            return 3
        return 1 if self._has_own_kernels else 2

    @property
    def _cast_bytes(self) -> int:
        """Of weights, beside themselves in the step's precision."""
        if self.precision.itemsize == FLOAT_BYTES:
            return 0
        return self.architecture.num_parameters * self.precision.itemsize

    def _stage_values(self, stage: int) -> int:
        """Values of one convolution's result of one sample, on this rank."""
        side = self.architecture.resolution >> stage
        return self.architecture.stage_channels[stage] * self.division.planes(stage) * side**2

    def _left_values(self, stage: int) -> int:
        """Values of one sample that a stage leaves, as the next layer holds them on this rank."""
        architecture, following = self.architecture, stage + 1
        if following == len(architecture.stage_channels):
            return architecture.stage_channels[stage] * FINAL_SIDE**3
        side = architecture.resolution >> following
        return architecture.stage_channels[stage] * self.division.planes(following) * side**2

    def _inner_bytes(self, stage: int) -> int:
        """What the layers inside a stage keep for one sample: all but its input and its result."""
        residuals, values = self.architecture.residuals_per_stage, self._stage_values(stage)
        # A branch and its sum for each residual; own pooling keeps nothing of what it pools.
        kept = 2 * residuals + (0 if self._has_own_kernels else 1)
        moments = 0
        if self.architecture.is_normalised:
            kept += 1 + residuals
            moments = 2 * (1 + residuals) * _num_groups(self.architecture, stage)
        inside = (values * kept + moments + self._halo_values(stage)) * self.precision.itemsize
        index_bytes = _OWN_INDEX_BYTES if self._has_own_kernels else INDEX_BYTES
        return inside + values // _POOLED_VOXELS * index_bytes

    def _halo_values(self, stage: int) -> int:
        """What neighbours brought to the convolutions of a stage, of one sample."""
        if not self.division.is_divided(stage):
            return 0
        layers = (layer for layer in self.architecture.convolutions if layer.stage == stage)
        num_planes = min(_MOST_NEIGHBOURS, self.division.num_ranks - 1)
        return sum(num_planes * layer.in_channels * layer.side**2 for layer in layers)


def _num_groups(architecture: Architecture, stage: int) -> int:
    channels = architecture.stage_channels[stage]
    layer = Convolution(stage=stage, residual=0, side=1, in_channels=channels, out_channels=channels)
    return layer.num_groups
