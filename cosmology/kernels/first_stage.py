"""The first stage on processors: a convolution of few channels on the largest grid, then a pooling.

Nobody needs the gradient of its input. That of its weights follows from the pooled gradient alone, which one
voxel of eight takes, so that nothing of the full size is made in the backward pass. With tiles of bfloat16
numbers (AMX) the convolution's full result is not stored in the forward pass either.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cosmology.kernels import native


def is_possible(x_BCXYZ: Tensor, weight: Tensor) -> bool:
    """Whether ``convolved_and_pooled`` takes these: on the CPU, few channels, no gradient of the input."""
    return (
        x_BCXYZ.device.type == "cpu"
        and not x_BCXYZ.requires_grad
        and weight.dtype is torch.float32
        and _format(weight) in native.FORMATS
        and weight.shape[1] <= native.MOST_WINDOW_CHANNELS
    )


@torch.compiler.disable
def convolved_and_pooled(
    x_BCXYZ: Float[Tensor, "batch in x y z"],
    weight: Float[Tensor, "channels in 3 3 3"],
    bias: Float[Tensor, " channels"],
    slope: float,
) -> Float[Tensor, "batch channels x2 y2 z2"]:
    """The 3^3 convolution that keeps sides, 2^3 windows pooled, a leaky activation; in autocast's format."""
    result: Tensor = _FirstStage.apply(x_BCXYZ, weight, bias, slope, _format(weight))  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return result


def _format(weight: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype


class _FirstStage(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_BCXYZ: Tensor, weight: Tensor, bias: Tensor, slope: float, dtype: torch.dtype
    ) -> Tensor:
        x_BCXYZ = x_BCXYZ.to(dtype, memory_format=native.LAYOUT)
        if dtype is torch.bfloat16 and native.has_tiles():
            pooled, winner = native.convolve_and_pool(x_BCXYZ, weight, bias, slope)
        else:
            full = functional.conv3d(x_BCXYZ, weight.to(dtype), bias.to(dtype), padding=1)
            pooled, winner = native.pool(full, slope)
        ctx.save_for_backward(x_BCXYZ, weight, pooled, winner)
        ctx.slope = slope
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None, None]:
        x_BCXYZ, weight, *pooled = ctx.saved_tensors
        weight_gradient, bias_gradient = native.window_gradient(x_BCXYZ, gradient, tuple(pooled), ctx.slope)
        # In the order of the weights: exchanges of gradients want them alike.
        return None, torch.empty_like(weight).copy_(weight_gradient), bias_gradient, None, None
