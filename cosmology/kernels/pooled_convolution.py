"""A convolution, its activation and the pooling after it as one operation on processors.

Where nobody needs the gradient of the input, as in the first stage, that of the weights follows from the
pooled gradient alone: one voxel of eight takes it, and few input channels make few sums, so that nothing of
the full size is made in the backward pass. With tiles of bfloat16 numbers (AMX) the convolution's full result
is not stored in the forward pass either.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cosmology.kernels import convolution, native
from cosmology.kernels.uncompiled import uncompiled


def is_faster(x_BCXYZ: Tensor, weight: Tensor) -> bool:
    """Whether ``pooled_convolution`` takes these, and does better than its operations one by one."""
    return (
        x_BCXYZ.device.type == "cpu"
        and weight.dtype is torch.float32
        and (_takes_windows(x_BCXYZ, weight) or _takes_tiles(_format(weight)))
        and _format(weight) in native.FORMATS
    )


@uncompiled
def pooled_convolution(
    x_BCXYZ: Float[Tensor, "batch in x y z"],
    weight: Float[Tensor, "channels in 3 3 3"],
    bias: Float[Tensor, " channels"],
    slope: float,
) -> Float[Tensor, "batch channels x2 y2 z2"]:
    """The 3^3 convolution that keeps sides, 2^3 windows pooled, a leaky activation; in autocast's format."""
    result: Tensor = _PooledConvolution.apply(x_BCXYZ, weight, bias, slope, _format(weight))  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


def _takes_windows(x_BCXYZ: Tensor, weight: Tensor) -> bool:
    return not x_BCXYZ.requires_grad and weight.shape[1] <= native.MOST_WINDOW_CHANNELS


def _takes_tiles(dtype: torch.dtype) -> bool:
    return dtype is torch.bfloat16 and native.has_tiles()


def _format(weight: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype


class _PooledConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_BCXYZ: Tensor, weight: Tensor, bias: Tensor, slope: float, dtype: torch.dtype
    ) -> Tensor:
        x_BCXYZ = x_BCXYZ.to(dtype, memory_format=native.LAYOUT)
        if _takes_tiles(dtype) and x_BCXYZ.shape[-1] >= native.TILE_VOXELS:
            pooled, winner = native.convolve_and_pool(x_BCXYZ, weight, bias, slope)
        else:
            full = _convolved(x_BCXYZ, weight.to(dtype, memory_format=native.LAYOUT), bias.to(dtype))
            pooled, winner = native.pool(full, slope)
        ctx.save_for_backward(x_BCXYZ, weight, pooled, winner)
        ctx.slope = slope
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None, None]:
        x_BCXYZ, weight, values, winner = ctx.saved_tensors
        step = _Step(x_BCXYZ, weight, (values, winner), ctx.slope)
        if not ctx.needs_input_grad[0] and weight.shape[1] <= native.MOST_WINDOW_CHANNELS:
            by_input = None
            by_weights, by_bias = native.window_gradient(x_BCXYZ, gradient, step.pooled, step.slope)
        else:
            by_input, by_weights, by_bias = _gradients(step, gradient, is_wanted=ctx.needs_input_grad[0])
        # In the order of the weights: exchanges of gradients want them alike.
        return by_input, torch.empty_like(weight).copy_(by_weights), by_bias.to(weight.dtype), None, None


def _convolved(x_BCXYZ: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if not _has_library(x_BCXYZ.dtype):
        return functional.conv3d(x_BCXYZ, weight, bias, padding=1)
    # One thread and one small sample would go to another library, which takes four times as long.
    ones = [1, 1, 1]
    return torch.ops.aten.mkldnn_convolution(x_BCXYZ, weight, bias, ones, ones, ones, 1)


def _has_library(dtype: torch.dtype) -> bool:
    """Whether oneDNN convolves numbers of this format here: bfloat16 needs AVX-512 or its like."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return False
    return dtype is not torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001 - torch's only way to ask


class _Step(NamedTuple):
    """What a backward pass knows of its forward pass."""

    x: Tensor
    weight: Tensor
    pooled: native.Pooled
    slope: float


def _gradients(step: _Step, gradient: Tensor, *, is_wanted: bool) -> tuple[Tensor | None, Tensor, Tensor]:
    """By input, if that is wanted, weights and bias."""
    has_tiles = _takes_tiles(step.x.dtype) and native.has_weight_tiles(step.pooled[0], step.weight.shape[1])
    if not has_tiles:
        return _full_gradients(step, gradient, [is_wanted, True, True])
    by_weights, by_bias = native.weight_gradient(step.x, gradient, step.pooled, step.slope)
    by_input = _full_gradients(step, gradient, [True, False, False])[0] if is_wanted else None
    return by_input, by_weights, by_bias


def _full_gradients(step: _Step, gradient: Tensor, wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's own gradients of the convolution, by what is wanted of input, weights and bias."""
    full = native.pool_gradient(gradient, step.pooled, step.slope)
    weight = step.weight.to(step.x.dtype, memory_format=native.LAYOUT)
    return convolution.gradients(full, step.x, weight, wanted)
