"""Pooling that activates only what it keeps: an eighth of the work and of the memory, and the same numbers.

A leaky activation never falls, so it may follow the maximum. Of each window one byte says where the maximum
was; the values before the pooling need not be kept.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from cosmology.kernels import native
from cosmology.kernels.native import LAYOUT, Pooled
from cosmology.kernels.uncompiled import uncompiled


def pooled_activation(
    x_BCXYZ: Float[Tensor, "batch channels x y z"], slope: float
) -> Float[Tensor, "batch channels x2 y2 z2"]:
    """The largest of each 2^3 window, then a leaky activation; ``slope`` 1 leaves values as they are.

    Where two voxels of a window are equal, the first has the gradient, as in torch. Activating first may
    round different values to the same, and give the gradient to another voxel than this does.
    """
    if _is_left_to_torch(x_BCXYZ):
        pooled, _ = functional.max_pool3d_with_indices(x_BCXYZ, (2, 2, 2))
        return functional.leaky_relu(pooled, slope)
    result: Tensor = _apply(_PooledActivation, x_BCXYZ, slope)
    return result


def _is_left_to_torch(x_BCXYZ: Tensor) -> bool:
    """A compiler of the whole network fuses these operations by itself; the library has but two formats."""
    if x_BCXYZ.device.type == "cpu":
        return x_BCXYZ.dtype not in native.FORMATS
    return bool(torch.compiler.is_compiling())


@uncompiled
def _apply(function: type[torch.autograd.Function], *inputs: object) -> Any:
    """Outside of compiled programs, which cannot look into these functions."""
    return function.apply(*inputs)  # type: ignore[no-untyped-call]  # torch leaves it untyped


class _PooledActivation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_BCXYZ: Tensor, slope: float) -> Tensor:
        pooled, winner = _pool(x_BCXYZ, slope)
        ctx.save_for_backward(pooled, winner)
        ctx.slope = slope
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _spread(gradient, ctx.saved_tensors, ctx.slope), None


def _pool(x_BCXYZ: Tensor, slope: float) -> Pooled:
    return native.pool(x_BCXYZ, slope) if x_BCXYZ.device.type == "cpu" else _compiled(pool)(x_BCXYZ, slope)


def _spread(gradient: Tensor, pooled: Pooled, slope: float) -> Tensor:
    if gradient.device.type == "cpu":
        return native.pool_gradient(gradient, pooled, slope)
    return _compiled(pool_gradient)(gradient, *pooled, slope)


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """One program of a function for all sizes; on a GPU one Triton kernel."""
    return torch.compile(function, dynamic=True)


def pool(x_BCXYZ: Tensor, slope: float) -> Pooled:
    """What ``native.pool`` does, in the words of torch, for devices whose compiler makes one kernel of it."""
    best = x_BCXYZ[:, :, ::2, ::2, ::2]
    winner = torch.zeros_like(best, dtype=torch.uint8)
    for number in range(1, 8):
        corner = x_BCXYZ[:, :, number >> 2 :: 2, number >> 1 & 1 :: 2, number & 1 :: 2]
        is_larger = (corner > best) | corner.isnan()
        best = torch.where(is_larger, corner, best)
        winner = torch.where(is_larger, number, winner)
    pooled = functional.leaky_relu(best, slope)
    return pooled.contiguous(memory_format=LAYOUT), winner.contiguous(memory_format=LAYOUT)


def pool_gradient(gradient: Tensor, pooled: Tensor, winner: Tensor, slope: float) -> Tensor:
    """What ``native.pool_gradient`` does, in the words of torch."""
    sloped = torch.where(pooled > 0, gradient, gradient * slope)
    numbers = torch.arange(8, dtype=torch.uint8, device=winner.device).view(2, 1, 2, 1, 2)
    batch, channels, x, y, z = pooled.shape
    windows = (batch, channels, x, 1, y, 1, z, 1)
    is_winner = winner.reshape(windows) == numbers
    spread = torch.where(is_winner, sloped.reshape(windows), 0)
    return spread.reshape(batch, channels, 2 * x, 2 * y, 2 * z).contiguous(memory_format=LAYOUT)
