"""Memory of one CosmoFlow training step on one rank, from the network's shape and the step's execution."""

from dataclasses import dataclass
from itertools import accumulate

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
_GRADIENTS_AT_PEAK = 3
"""Of a stage with residual branches: of its sum, and of a branch before and behind its activation."""
_MOST_NEIGHBOURS = 2
"""Each brings one plane to every convolution, which keeps it."""
_LIBRARY_PART = 8
_SHARED_NORM_COPIES = 2
"""In float32, of the values that a normalisation over several ranks differentiates; those that it casts to
float32 come on top."""


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
        stages = range(len(self.architecture.stage_channels))
        features = sum(layer.out_features for layer in self.architecture.dense_layers)
        left = self._entering_bytes(len(stages))
        return left + self.batch * features * self.precision.itemsize + sum(map(self._kept_bytes, stages))

    @property
    def peak_bytes(self) -> int:
        """The peak during a step, which some stage reaches in its backward pass.

        By then what stages after it kept is free again, and all gradients of weights may be there; they are
        not yet in the forward pass, which may be the peak with own kernels. One part is an allowance: what
        libraries take to work in, an eighth of a result of the first stage. Own kernels that never store the
        first result (AMX) need less. The buckets of a gradient exchange are not in it.
        """
        stages = range(len(self.architecture.stage_channels))
        before = list(accumulate(map(self._kept_bytes, stages), initial=0))
        weights = FLOAT_BYTES * self.architecture.num_parameters
        forward = max(before[stage] + self._forward_bytes(stage) for stage in stages)
        backward = max(before[stage] + self._backward_bytes(stage) for stage in stages)
        return (
            _STATES_PER_PARAMETER * weights
            + max(forward - weights, backward)
            + self._result_bytes(0) // _LIBRARY_PART
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
    def _cast_bytes(self) -> int:
        """Of weights, beside themselves in the step's precision."""
        if self.precision.itemsize == FLOAT_BYTES:
            return 0
        return self.architecture.num_parameters * self.precision.itemsize

    def _kept_bytes(self, stage: int) -> int:
        """What a stage keeps of the forward pass, but for its result."""
        inside = 0 if self.architecture.is_checkpointed else self._inner_bytes(stage)
        return self._entering_bytes(stage) + inside

    def _forward_bytes(self, stage: int) -> int:
        """Most that a stage holds at a time in its forward pass, its input included."""
        one = self._result_bytes(stage)
        pooled_from = one if self._has_own_kernels else 0  # which own pooling does not keep
        return self._entering_bytes(stage) + self._inner_bytes(stage) + pooled_from + one // _POOLED_VOXELS

    def _backward_bytes(self, stage: int) -> int:
        """Most that a stage holds at a time in its backward pass, its input included.

        That is when the activation of its last branch is differentiated: beside it stand all earlier results,
        the gradient of the sum, and those of the branch before and behind its activation. Of branches that
        are computed again there is one at a time.
        """
        residuals, one = self.architecture.residuals_per_stage, self._result_bytes(stage)
        held = self._results_at_peak * one
        if self._has_own_kernels and not residuals:
            held = self._own_backward_bytes(stage)
        if self.architecture.is_normalised and self.division.is_divided(stage):
            held += self._shared_norm_bytes(stage)
        return held + self._entering_bytes(stage) + self._halo_bytes(stage)

    def _shared_norm_bytes(self, stage: int) -> int:
        num_cast = 0 if self.precision.itemsize == FLOAT_BYTES else 2  # values and gradient
        values = self.batch * self._stage_values(stage)
        return (_SHARED_NORM_COPIES + num_cast) * values * FLOAT_BYTES

    @property
    def _results_at_peak(self) -> int:
        """How many tensors as large as a convolution's result a stage then holds."""
        residuals, is_normalised = self.architecture.residuals_per_stage, self.architecture.is_normalised
        if not residuals:
            return 3 + is_normalised  # one gradient less, as there is no sum
        branches = 1 if self.architecture.has_checkpointed_branches else residuals
        inputs_of_norms = 1 + branches if is_normalised else 0
        # The library's convolutions copy what they read and write, where channels do not come last.
        copies = self.execution.layout == "channels_first" and not is_normalised
        return residuals + branches + inputs_of_norms + _GRADIENTS_AT_PEAK + copies

    def _own_backward_bytes(self, stage: int) -> int:
        """The same of a single convolution: pooling and activation are differentiated at once."""
        one = self._result_bytes(stage)
        if self.architecture.is_normalised:
            return 3 * one  # its input, and the gradients before and behind it
        pooled = 2 * one // _POOLED_VOXELS + self._inner_bytes(stage)
        if not stage:
            # The gradient of its weights needs none of the full size, unless other ranks' planes come to it.
            return pooled + (one if self.division.is_divided(stage) else 0)
        return one + max(pooled, self._entering_bytes(stage))

    def _result_bytes(self, stage: int) -> int:
        """Of one convolution's result, on this rank."""
        return self.batch * self._stage_values(stage) * self.precision.itemsize

    def _entering_bytes(self, stage: int) -> int:
        """What a stage reads, on this rank; of the stage behind the last, what the dense layers read."""
        if not stage:
            return self.batch * self._input_values * self.precision.itemsize
        architecture = self.architecture
        side, planes = FINAL_SIDE, FINAL_SIDE
        if stage < len(architecture.stage_channels):
            side, planes = architecture.resolution >> stage, self.division.planes(stage)
        values = architecture.stage_channels[stage - 1] * planes * side**2
        return self.batch * values * self.precision.itemsize

    def _inner_bytes(self, stage: int) -> int:
        """What the layers inside a stage keep: all but its input and its result."""
        residuals, values = self.architecture.residuals_per_stage, self.batch * self._stage_values(stage)
        branches = 0 if self.architecture.has_checkpointed_branches else residuals
        # Each branch and its sum; own pooling keeps nothing of what it pools.
        kept = residuals + branches + (0 if self._has_own_kernels else 1)
        moments = 0
        if self.architecture.is_normalised:
            kept += 1 + branches
            moments = 2 * self.batch * (1 + branches) * _num_groups(self.architecture, stage)
        index_bytes = _OWN_INDEX_BYTES if self._has_own_kernels else INDEX_BYTES
        inside = (values * kept + moments) * self.precision.itemsize + values // _POOLED_VOXELS * index_bytes
        return inside + self._halo_bytes(stage)

    def _halo_bytes(self, stage: int) -> int:
        """What neighbours brought to the convolutions of a stage."""
        if not self.division.is_divided(stage):
            return 0
        layers = (layer for layer in self.architecture.convolutions if layer.stage == stage)
        num_planes = min(_MOST_NEIGHBOURS, self.division.num_ranks - 1)
        values = sum(num_planes * layer.in_channels * layer.side**2 for layer in layers)
        return self.batch * values * self.precision.itemsize

    def _stage_values(self, stage: int) -> int:
        """Values of one convolution's result of one sample, on this rank."""
        side = self.architecture.resolution >> stage
        return self.architecture.stage_channels[stage] * self.division.planes(stage) * side**2


def _num_groups(architecture: Architecture, stage: int) -> int:
    channels = architecture.stage_channels[stage]
    layer = Convolution(stage=stage, residual=0, side=1, in_channels=channels, out_channels=channels)
    return layer.num_groups
