"""Probes of arithmetic: square matrix products, and 3^3 convolutions in both directions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from saih.domain.ceiling import CeilingKind
from saih.machine.sampling import CurveName, Probe, Rung

_SIDES_ON_CPU = (128, 256, 512, 1024, 2048, 4096, 8192)
_SIDES_ON_ACCELERATOR = (256, 512, 1024, 2048, 4096, 8192, 16384)
_CHANNELS_ON_CPU = (4, 8, 16, 32, 64, 128)
_CHANNELS_ON_ACCELERATOR = (*_CHANNELS_ON_CPU, 256, 512)
# Even, so that a grid of as many voxels in longer rows exists.
_GRID_SIDES = (4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 96)
# A batch of 1 sends torch on CPUs to a path several times slower than a batch of 2 or more: no ceiling.
_BATCH = 4
_FORMATS = (torch.contiguous_format, torch.channels_last_3d)
# About 2 to 20 ms for one call on one core, and 1 ms on an accelerator: long against a launch. Units for
# matrices of 16 bits are about eight times as fast as those for 32.
_CONVOLUTION_FLOPS_PER_THREAD = 5e8
_CONVOLUTION_FLOPS_ON_ACCELERATOR = 5e10
_CONVOLUTION_FLOPS_IN_16_BITS = 4e11
_FLOP_PER_S = "FLOP/s"


def product_name(precision: str) -> CurveName:
    """The curve of square products."""
    return CurveName(kind=CeilingKind.GEMM, precision=precision, unit=_FLOP_PER_S, size_unit="side")


def product_rungs(device: torch.device, dtype: torch.dtype) -> list[Rung]:
    """Square products; 2 n^3 FLOPs each."""
    sides = _SIDES_ON_CPU if device.type == "cpu" else _SIDES_ON_ACCELERATOR
    return [
        Rung(size=side, work=2.0 * side**3, ways=(partial(_product, side, device, dtype),)) for side in sides
    ]


def convolution_name(kind: CeilingKind, precision: str) -> CurveName:
    """The curve of convolutions in one direction."""
    return CurveName(kind=kind, precision=precision, unit=_FLOP_PER_S, size_unit="channels")


def convolution_rungs(
    kind: CeilingKind, device: torch.device, dtype: torch.dtype, num_threads: int
) -> list[Rung]:
    """Convolutions in one direction, of about the same work for every number of channels.

    54 C^2 FLOPs per voxel forward, and for each of the two gradients.
    """
    flops, direction = _work_per_call(device, dtype, num_threads), _DIRECTIONS[kind]
    channels = _CHANNELS_ON_CPU if device.type == "cpu" else _CHANNELS_ON_ACCELERATOR
    rungs = []
    # Many channels first: few are the slow ones, and the curve may end early.
    for num_channels in reversed(channels):
        side = grid_side(num_channels, flops)
        ways = tuple(
            partial(_convolution, (num_channels, *grid), device, dtype, memory_format, direction)
            for grid in _grids(side)
            for memory_format in _FORMATS
        )
        work = direction.factor * _forward_flops(num_channels, side)
        rungs.append(Rung(size=num_channels, work=work, ways=ways))
    return rungs


def grid_side(num_channels: int, flops: float) -> int:
    """The largest known grid side whose forward convolution of one batch costs at most ``flops``."""
    fitting = [side for side in _GRID_SIDES if _forward_flops(num_channels, side) <= flops]
    return max(fitting, default=_GRID_SIDES[0])


def _grids(side: int) -> tuple[tuple[int, int, int], ...]:
    """A cube, and as many voxels in longer rows: libraries have sizes that they are bad at.

    On two cores with AMX 128 channels in bfloat16 ran at 27 GFLOP/s on 6 x 6 x 6 and at 401 on 3 x 6 x 12.
    """
    return (side, side, side), (side // 2, side, 2 * side)


def _forward_flops(num_channels: int, side: int) -> float:
    # Padded borders are counted in full, the convention of torch's FlopCounterMode and of our costs.
    return 2.0 * 27 * num_channels**2 * side**3 * _BATCH


def _work_per_call(device: torch.device, dtype: torch.dtype, num_threads: int) -> float:
    if device.type == "cpu":
        return _CONVOLUTION_FLOPS_PER_THREAD * num_threads
    return _CONVOLUTION_FLOPS_IN_16_BITS if dtype.itemsize == 2 else _CONVOLUTION_FLOPS_ON_ACCELERATOR


def _product(side: int, device: torch.device, dtype: torch.dtype) -> Probe:
    a, b = (_noise((side, side), device, dtype) for _ in range(2))
    out = torch.empty_like(a)
    return Probe(call=partial(torch.matmul, a, b, out=out))


def _convolution(
    shape: tuple[int, int, int, int],
    device: torch.device,
    dtype: torch.dtype,
    memory_format: torch.memory_format,
    direction: "_Direction",
) -> Probe:
    num_channels = shape[0]
    x = _noise((_BATCH, *shape), device, dtype)
    weight = _noise((num_channels, num_channels, 3, 3, 3), device, dtype)
    x, weight = (tensor.contiguous(memory_format=memory_format) for tensor in (x, weight))
    return Probe(call=direction.call(x, weight))


def _forward(x: torch.Tensor, weight: torch.Tensor) -> Callable[[], object]:
    return partial(torch.nn.functional.conv3d, x, weight, padding=1)


def _backward(x: torch.Tensor, weight: torch.Tensor, *, wanted: Sequence[bool]) -> Callable[[], object]:
    gradient = torch.nn.functional.conv3d(x, weight, padding=1)
    ones, zeros = [1, 1, 1], [0, 0, 0]
    return partial(
        torch.ops.aten.convolution_backward,
        *(gradient, x, weight, None, ones, ones, ones, False, zeros, 1, list(wanted)),
    )


def _noise(shape: Sequence[int], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    # Zeros would draw less power on accelerators, and denormals are slow: neither is like real work.
    return torch.rand(tuple(shape), device=device, dtype=torch.float32).add_(0.5).to(dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Direction:
    factor: float
    """Work over that of the forward pass."""
    call: Callable[[torch.Tensor, torch.Tensor], Callable[[], object]]


# What a backward pass is asked for: the gradients of the input, of the weights, of the bias.
_DIRECTIONS = {
    CeilingKind.CONVOLUTION_FORWARD: _Direction(factor=1.0, call=_forward),
    CeilingKind.CONVOLUTION_BACKWARD: _Direction(
        factor=2.0, call=partial(_backward, wanted=(True, True, False))
    ),
    CeilingKind.CONVOLUTION_BACKWARD_WEIGHT: _Direction(
        factor=1.0, call=partial(_backward, wanted=(False, True, False))
    ),
    CeilingKind.CONVOLUTION_BACKWARD_INPUT: _Direction(
        factor=1.0, call=partial(_backward, wanted=(True, False, False))
    ),
}
CONVOLUTIONS = tuple(_DIRECTIONS)
