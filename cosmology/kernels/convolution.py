"""Torch's 3^3 convolution between zeros, around a fault of the library behind it.

oneDNN 3.12, as torch 2.13 has it, leaves part of the gradient of bfloat16 weights unwritten where a grid is
two planes long and lies between zeros, on processors with AVX-512 and without AMX: what was in memory before,
even NaN, becomes the gradient. With those zeros laid around such a grid beforehand, the numbers are right.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_FAULTY_PLANES = 2


class SameConvolution(nn.Conv3d):
    """3^3 weights, and a result as large as the grid, which lies between zeros."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)

    def forward(self, input: Float[Tensor, "batch in x y z"]) -> Float[Tensor, "batch out x y z"]:  # noqa: A002  # torch's name
        """Weighted sums of the 27 voxels around each voxel."""
        x_BCXYZ, padding = between_zeros(input)
        return functional.conv3d(x_BCXYZ, self.weight, self.bias, padding=padding)


def between_zeros(x_BCXYZ: Float[Tensor, "batch in x y z"]) -> tuple[Tensor, list[int]]:
    """A grid, and the zeros that a convolution has to see on each side of it for right gradients."""
    is_on_processor, is_short = x_BCXYZ.device.type == "cpu", x_BCXYZ.shape[2] == _FAULTY_PLANES
    if not (is_on_processor and is_short and arithmetic_dtype(x_BCXYZ) is torch.bfloat16):
        return x_BCXYZ, [1, 1, 1]
    return functional.pad(x_BCXYZ, (0, 0, 0, 0, 1, 1)), [0, 1, 1]


def gradients(
    gradient: Float[Tensor, "batch out x y z"],
    x_BCXYZ: Float[Tensor, "batch in x y z"],
    weight: Float[Tensor, "out in 3 3 3"],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Of a convolution by its input, weights and bias; None in place of what is not wanted."""
    laid_BCXYZ, padding = between_zeros(x_BCXYZ)
    ones = [1, 1, 1]
    by_laid, by_weights, by_bias = torch.ops.aten.convolution_backward(
        *(gradient, laid_BCXYZ, weight, [len(weight)], ones, padding, ones, False, [0, 0, 0], 1), wanted
    )
    margin = 1 - padding[0]
    by_input = by_laid.narrow(2, margin, x_BCXYZ.shape[2]) if wanted[0] else by_laid
    return by_input, by_weights, by_bias


def arithmetic_dtype(x: Tensor) -> torch.dtype:
    """The format in which a convolution of ``x`` computes here."""
    device = x.device.type
    is_cast = torch.is_autocast_enabled(device) and x.dtype is torch.float32
    return torch.get_autocast_dtype(device) if is_cast else x.dtype
