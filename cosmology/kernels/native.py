"""The compiled kernels as functions of tensors on the CPU, channels last, in float32 or bfloat16.

Legend: B batch, C channels, X Y Z voxels, I input channels. Pooled grids have half the sides.
"""

import ctypes
import math

import torch
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor

from cosmology.kernels.building import library

FORMATS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
LAYOUT = torch.channels_last_3d
MOST_WINDOW_CHANNELS = 10
"""Input channels up to which ``window_gradient`` is there."""
NUM_COUNTS = 2**16
"""Values that a count may have."""
TILE_VOXELS = 16
"""Voxels that one product of tiles takes; rows of fewer leave it half empty, and torch is faster."""
_STEP = 32
"""Values over which one product of tiles goes; channels that it gives."""

Pooled = tuple[Float[Tensor, "batch channels x y z"], UInt8[Tensor, "batch channels x y z"]]
"""The largest of each 2^3 window, activated, and which of the eight it was: 4 dx + 2 dy + dz."""


def pool(x_BCXYZ: Float[Tensor, "batch channels x y z"], slope: float) -> Pooled:
    """Windows of 2^3 voxels pooled, then activated, leaky with ``slope``.

    Raises:
        ValueError: for a grid with an odd side.
    """
    pooled, winner = _empty_pooled(x_BCXYZ, x_BCXYZ.shape[1])
    _call(f"pool_{_format(x_BCXYZ)}", (_in_order(x_BCXYZ), pooled, winner), pooled, slope)
    return pooled, winner


def pool_gradient(
    gradient: Float[Tensor, "batch channels x y z"], pooled: Pooled, slope: float
) -> Float[Tensor, "batch channels x2 y2 z2"]:
    """The gradient of what ``pool`` was given, from that of its result."""
    values, winner = pooled
    batch, channels, *sides = values.shape
    doubled = (batch, channels, *(2 * side for side in sides))
    spread = torch.empty(doubled, dtype=values.dtype, memory_format=LAYOUT)
    _call(
        f"pool_gradient_{_format(values)}",
        (_in_order(gradient.to(values.dtype)), values, winner, spread),
        values,
        slope,
    )
    return spread


def window_gradient(
    x_BIXYZ: Float[Tensor, "batch in x2 y2 z2"],
    gradient: Float[Tensor, "batch channels x y z"],
    pooled: Pooled,
    slope: float,
) -> tuple[Float[Tensor, "channels in 3 3 3"], Float[Tensor, " channels"]]:
    """Float32 gradients of weights and bias of the 3^3 convolution of ``x_BIXYZ`` that ``pool`` was given."""
    values, winner = pooled
    channels, in_channels = values.shape[1], x_BIXYZ.shape[1]
    weight_gradient = torch.empty(channels, in_channels, 3, 3, 3)
    bias_gradient = torch.empty(channels)
    _call(
        f"window_gradient_{_format(values)}",
        (
            _in_order(x_BIXYZ),
            _in_order(gradient.to(values.dtype)),
            values,
            winner,
            weight_gradient,
            bias_gradient,
        ),
        values,
        slope,
        in_channels,
    )
    return weight_gradient, bias_gradient


def has_tiles() -> bool:
    """Whether this processor multiplies tiles of bfloat16 numbers, and the system lets it."""
    return bool(library()["has_tiles"]())


def convolve_and_pool(
    x_BIXYZ: Float[Tensor, "batch in x2 y2 z2"],
    weight: Float[Tensor, "channels in 3 3 3"],
    bias: Float[Tensor, " channels"],
    slope: float,
) -> Pooled:
    """What ``pool`` makes of the 3^3 convolution of a bfloat16 grid, whose full result is never stored.

    Products are those of numbers rounded to bfloat16, summed in float32. Only where ``has_tiles()``.
    """
    channels, in_channels = weight.shape[:2]
    pooled, winner = _empty_pooled(x_BIXYZ, channels)
    _call_with_tiles(
        "convolve_and_pool_bfloat16",
        (
            _in_order(x_BIXYZ),
            weight.contiguous(),
            bias.to(torch.bfloat16).float(),
            pooled,
            winner,
            *_scratch(pooled, in_channels, channels),
        ),
        pooled,
        slope,
        in_channels,
    )
    return pooled, winner


def has_weight_tiles(pooled: Tensor, in_channels: int) -> bool:
    """Whether ``weight_gradient`` takes these: channels and voxels of a plane come by 32."""
    _, channels, _, y, z = pooled.shape
    return not (channels % _STEP or in_channels % _STEP or 4 * y * z % _STEP)


def weight_gradient(
    x_BIXYZ: Float[Tensor, "batch in x2 y2 z2"],
    gradient: Float[Tensor, "batch channels x y z"],
    pooled: Pooled,
    slope: float,
) -> tuple[Float[Tensor, "channels in 3 3 3"], Float[Tensor, " channels"]]:
    """Float32 gradients by weights and bias of ``convolve_and_pool``.

    Only where ``has_tiles()`` and ``has_weight_tiles``.
    """
    values, winner = pooled
    batch, channels, x, y, z = values.shape
    in_channels = x_BIXYZ.shape[1]
    weights, biases = torch.empty(27, channels, in_channels), torch.empty(batch * x, channels)
    blocks = torch.empty(8 * values.numel(), dtype=torch.bfloat16)
    pairs = torch.empty(batch * (2 * x + 2) * 3 * (2 * y + 2) * z * in_channels, dtype=torch.int32)
    _call_with_tiles(
        "weight_gradient_bfloat16",
        (
            _in_order(x_BIXYZ),
            _in_order(gradient.to(values.dtype)),
            values,
            winner,
            weights,
            biases,
            blocks,
            pairs,
        ),
        values,
        slope,
        in_channels,
    )
    return weights.permute(1, 2, 0).reshape(channels, in_channels, 3, 3, 3), biases.sum(0)


def look_up(
    counts_BCXYZ: UInt16[Tensor, "batch channels x y z"],
    tables: Float[Tensor, "channels 65536"],
    num_threads: int,
) -> Float[Tensor, "batch channels x y z"]:
    """Each count replaced by what its channel's table has for it, in the table's format, channels last."""
    batch, channels, *sides = counts_BCXYZ.shape
    if tables.shape != (channels, NUM_COUNTS):
        raise ValueError(
            f"tables of shape {tuple(tables.shape)} for {channels} channels; give 65536 values each."
        )
    grids = torch.empty(counts_BCXYZ.shape, dtype=tables.dtype, memory_format=LAYOUT)
    tensors = counts_BCXYZ.contiguous(), tables.contiguous(), grids
    library()[f"look_up_{_format(tables)}"](
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors),
        *(ctypes.c_int64(number) for number in (batch, channels, math.prod(sides))),
        ctypes.c_int(num_threads),
    )
    return grids


def _call(name: str, tensors: tuple[Tensor, ...], pooled: Tensor, slope: float, *channels: int) -> int:
    batch, num_channels, x, y, z = pooled.shape
    answer: int = library()[name](
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in tensors),
        *(ctypes.c_int64(number) for number in (batch, x, y, z, num_channels, *channels)),
        ctypes.c_float(slope),
        ctypes.c_int(torch.get_num_threads()),
    )
    return answer


def _call_with_tiles(
    name: str, tensors: tuple[Tensor, ...], pooled: Tensor, slope: float, in_channels: int
) -> None:
    if not _call(name, tensors, pooled, slope, in_channels):
        raise ValueError("this processor has no tiles of bfloat16 numbers; ask has_tiles() first.")


def _scratch(pooled: Tensor, in_channels: int, channels: int) -> tuple[Tensor, Tensor]:
    """Room for a padded grid of ``in_channels``, and for weights in tiles."""
    batch, _, *sides = pooled.shape
    num_padded = batch * in_channels * math.prod(2 * side + 2 for side in sides)
    num_steps = -(-3 * in_channels // _STEP)
    num_weights = -(-channels // _STEP) * 9 * num_steps * _STEP**2
    sizes = (num_padded + TILE_VOXELS * in_channels + _STEP, num_weights)
    padded, tiles = (torch.empty(size, dtype=torch.bfloat16) for size in sizes)
    return padded, tiles


def _empty_pooled(x_BCXYZ: Tensor, channels: int) -> Pooled:
    batch, _, *sides = x_BCXYZ.shape
    if any(side % 2 for side in sides):
        raise ValueError(f"a grid of {tuple(sides)} voxels has no whole windows of 2^3; use even sides.")
    shape = (batch, channels, *(side // 2 for side in sides))
    values = torch.empty(shape, dtype=x_BCXYZ.dtype, memory_format=LAYOUT)
    return values, torch.empty(shape, dtype=torch.uint8, memory_format=LAYOUT)


def _in_order(values: Tensor) -> Tensor:
    return values.contiguous(memory_format=LAYOUT)


def _format(values: Tensor) -> str:
    return FORMATS[values.dtype]
