"""Every operation of one CosmoFlow training step on the mean rank, with its FLOPs, traffic and launches.

Convention: a multiply-add is 2; products and convolutions alone have FLOPs, as torch's FlopCounterMode
counts; elementwise work has 0, but its traffic and launches are there. Both gradients of every layer are
counted, except the first convolution's input gradient, which nobody needs and nobody computes. What
checkpointing computes again belongs to the backward pass, and its FLOPs count as they are spent. Traffic
takes every operand once. Biases ride with their layer. Where ranks share every sample, each does its planes
of the stages that are divided, and all of the others (see ``cosmology.division``); what they bring to each
other is no operation but an exchange (see ``exchanges``). A batch arrives normalised: that is host work
of the loader, outside the step.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from cosmology.architecture import FINAL_SIDE, Architecture, Convolution, Dense
from cosmology.definition import NUM_TARGETS
from cosmology.division import SampleDivision
from workloads.cosmoflow.memory import FLOAT_BYTES, INDEX_BYTES
from workloads.precision import Precision
from workloads.protocol import Operation, OpKind, PhaseName

_POOLED_VOXELS = 8
"""A 2^3 pooling keeps one voxel of these."""
_OPTIMIZER_PASSES = 5
"""Momentum SGD reads weight, gradient and momentum, and writes weight and momentum."""
_OPTIMIZER_KERNELS = 3
"""For each parameter tensor: scale the momentum, add the gradient, add to the weight."""


def step_operations(division: SampleDivision, batch: int, precision: Precision) -> tuple[Operation, ...]:
    """All operations of one step over ``batch`` samples that ranks divide so, in their order."""
    step = _Step(division=division, batch=batch, precision=precision)
    return (*_forward(step), *_backward(step), _optimizer(division.architecture))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    division: SampleDivision
    batch: int
    precision: Precision

    @property
    def architecture(self) -> Architecture:
        """The network that is trained."""
        return self.division.architecture

    @property
    def itemsize(self) -> int:
        """Bytes of one activation."""
        return self.precision.itemsize

    @property
    def final_features(self) -> int:
        """Values of the batch that reach the dense layers."""
        return self.batch * FINAL_SIDE**3 * self.architecture.stage_channels[-1]

    def voxels(self, layer: Convolution) -> int:
        """Of the batch that one rank works on."""
        return self.batch * self.division.planes(layer.stage) * layer.side**2

    def inputs(self, layer: Convolution) -> int:
        """Values that a convolution reads."""
        return layer.in_channels * self.voxels(layer)

    def outputs(self, layer: Convolution) -> int:
        """Values that a convolution writes."""
        return layer.out_channels * self.voxels(layer)

    def ends_stage(self, layer: Convolution) -> bool:
        """Whether a pooling follows."""
        return layer.residual == self.architecture.residuals_per_stage


def _forward(step: _Step) -> Iterator[Operation]:
    yield from _casts(step, "forward")
    for layer in step.architecture.convolutions:
        yield from _convolution_forward(step, layer)
    yield _elementwise("flatten", "forward", 2 * step.final_features * step.itemsize, kernels=1)
    *hidden, last = step.architecture.dense_layers
    for number, dense in enumerate(hidden, start=1):
        yield _product(step, dense, f"dense {number} forward", "forward")
        values = step.batch * dense.out_features
        yield _elementwise(f"dense {number} activation", "forward", 2 * values * step.itemsize, kernels=1)
    yield _product(step, last, f"dense {len(hidden) + 1} forward", "forward")
    yield _head(step, "forward")


def _backward(step: _Step) -> Iterator[Operation]:
    yield _head(step, "backward")
    layers = step.architecture.dense_layers
    for number, dense in reversed(tuple(enumerate(layers, start=1))):
        if number < len(layers):
            traffic = 3 * step.batch * dense.out_features * step.itemsize
            yield _elementwise(f"dense {number} activation gradient", "backward", traffic, kernels=1)
        yield _product(step, dense, f"dense {number} input gradient", "backward")
        yield _product(step, dense, f"dense {number} weight gradient", "backward")
    yield _elementwise("flatten gradient", "backward", 2 * step.final_features * step.itemsize, kernels=1)
    for layer in reversed(step.architecture.convolutions):
        yield from _convolution_backward(step, layer)
    yield from _casts(step, "backward")


def _convolution_forward(
    step: _Step, layer: Convolution, phase: PhaseName = "forward", word: str = "forward"
) -> Iterator[Operation]:
    """A convolution and what follows it; ``word`` tells the second time from the first."""
    name, outputs, itemsize = _name(layer), step.outputs(layer), step.itemsize
    again = "" if word == "forward" else f" {word}"
    yield from _convolved(step, layer, phase, word)
    if layer.residual:
        yield _elementwise(f"{name} sum{again}", phase, 3 * outputs * itemsize, kernels=1)
    if step.ends_stage(layer):
        traffic = outputs * itemsize + outputs // _POOLED_VOXELS * (itemsize + INDEX_BYTES)
        yield _elementwise(f"stage {layer.stage + 1} pooling{again}", phase, traffic, kernels=1)


def _convolved(step: _Step, layer: Convolution, phase: PhaseName, word: str) -> Iterator[Operation]:
    """A convolution up to its activation."""
    name, traffic = _name(layer), 2 * step.outputs(layer) * step.itemsize
    again = "" if word == "forward" else f" {word}"
    yield _convolving(step, layer, f"{name} {word}", phase)
    if step.architecture.is_normalised:  # moments, then what they make of the values
        yield _elementwise(f"{name} normalisation{again}", phase, traffic, kernels=2)
    yield _elementwise(f"{name} activation{again}", phase, traffic, kernels=1)


def _convolution_backward(step: _Step, layer: Convolution) -> Iterator[Operation]:
    name, outputs, itemsize = _name(layer), step.outputs(layer), step.itemsize
    if step.ends_stage(layer):
        yield from _computed_again(step, layer.stage)
        traffic = outputs * itemsize + outputs // _POOLED_VOXELS * (itemsize + INDEX_BYTES)
        yield _elementwise(f"stage {layer.stage + 1} pooling gradient", "backward", traffic, kernels=2)
    if layer.residual:  # scale the branch's gradient; add the branch's input gradient to the sum's
        yield _elementwise(f"{name} sum gradient", "backward", 5 * outputs * itemsize, kernels=2)
        if step.architecture.has_checkpointed_branches:
            yield from _convolved(step, layer, "backward", "again")
    yield _elementwise(f"{name} activation gradient", "backward", 3 * outputs * itemsize, kernels=1)
    if step.architecture.is_normalised:
        yield _elementwise(f"{name} normalisation gradient", "backward", 3 * outputs * itemsize, kernels=3)
    if layer.stage or layer.residual:
        yield _convolving(step, layer, f"{name} input gradient", "backward")
    yield _convolving(step, layer, f"{name} weight gradient", "backward")


def _computed_again(step: _Step, stage: int) -> Iterator[Operation]:
    """The forward pass of a stage of which only the input was kept."""
    if step.architecture.is_checkpointed:
        for layer in step.architecture.convolutions:
            if layer.stage == stage:
                yield from _convolution_forward(step, layer, "backward", "again")


def _name(layer: Convolution) -> str:
    kind = f"residual {layer.residual}" if layer.residual else "convolution"
    return f"stage {layer.stage + 1} {kind}"


def _convolving(step: _Step, layer: Convolution, name: str, phase: PhaseName) -> Operation:
    """A convolution or one of its gradients: of input, weights and output, each reads two and writes one."""
    return Operation(
        name=name,
        phase=phase,
        kind=OpKind.CONVOLUTION,
        flops=2 * layer.num_weights * step.voxels(layer),
        memory_bytes=(step.inputs(layer) + step.outputs(layer) + layer.num_weights) * step.itemsize,
        num_kernels=1,
        channels=math.sqrt(layer.in_channels * layer.out_channels),
    )


def _product(step: _Step, dense: Dense, name: str, phase: PhaseName) -> Operation:
    """A dense layer or one of its gradients; the side of the cube of as many multiply-adds is its size."""
    values = step.batch * (dense.in_features + dense.out_features) + dense.num_weights
    return Operation(
        name=name,
        phase=phase,
        kind=OpKind.MATMUL,
        flops=2 * dense.num_weights * step.batch,
        memory_bytes=values * step.itemsize,
        num_kernels=1,
        channels=math.cbrt(dense.num_weights * step.batch),
    )


def _elementwise(name: str, phase: PhaseName, memory_bytes: int, *, kernels: int) -> Operation:
    return Operation(
        name=name,
        phase=phase,
        kind=OpKind.ELEMENTWISE,
        flops=0,
        memory_bytes=memory_bytes,
        num_kernels=kernels,
        channels=1.0,
    )


def _head(step: _Step, phase: PhaseName) -> Operation:
    """tanh, scale and mean squared error, or their gradients: three small kernels."""
    name = "output and loss" if phase == "forward" else "output and loss gradient"
    return _elementwise(name, phase, 6 * step.batch * NUM_TARGETS * FLOAT_BYTES, kernels=3)


def _casts(step: _Step, phase: PhaseName) -> Iterator[Operation]:
    """Between float32 and the step's precision: weights before, gradients after; batches come in it."""
    if step.itemsize == FLOAT_BYTES:
        return
    traffic = step.architecture.num_parameters * (step.itemsize + FLOAT_BYTES)
    name = "cast weights" if phase == "forward" else "cast gradients"
    yield _elementwise(name, phase, traffic, kernels=_num_tensors(step.architecture))


def _optimizer(architecture: Architecture) -> Operation:
    traffic = _OPTIMIZER_PASSES * FLOAT_BYTES * architecture.num_parameters
    kernels = _OPTIMIZER_KERNELS * _num_tensors(architecture)
    return _elementwise("momentum SGD", "optimizer", traffic, kernels=kernels)


def _num_tensors(architecture: Architecture) -> int:
    """Parameter tensors: weights and biases of every layer, factors and shifts of every normalisation."""
    num_convolutions = len(architecture.convolutions)
    num_norms = num_convolutions if architecture.is_normalised else 0
    return 2 * (num_convolutions + num_norms + len(architecture.dense_layers))
