import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cosmology.kernels import convolution

SIDES = (1, 2, 3, 4)


def parts(planes: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Grid, weights, and a gradient of the result, all exact in bfloat16."""
    generator = torch.Generator().manual_seed(planes)
    shapes = [(2, 4, planes, 8, 16), (32, 4, 3, 3, 3), (2, 32, planes, 8, 16)]
    noise = [torch.randn(shape, generator=generator).bfloat16() for shape in shapes]
    grid, weight, upstream = (tensor.to(dtype) for tensor in noise)
    return grid.to(memory_format=torch.channels_last_3d), weight, upstream


def truths(planes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Result and gradients of input and weights, in float64."""
    grid, weight, upstream = parts(planes, torch.float64)
    result = functional.conv3d(grid.requires_grad_(), weight.requires_grad_(), padding=1)
    return result.detach(), *torch.autograd.grad(result, (grid, weight), upstream)


def soil_memory() -> None:
    """So that numbers that nobody wrote are far from any that is right."""
    for size in (1_000, 10_000, 100_000):
        torch.full((size,), 1e30)


@pytest.mark.parametrize("planes", SIDES)
def test_gradients_in_bfloat16_are_those_in_fp64_rounded(planes: int) -> None:
    grid, weight, upstream = parts(planes, torch.bfloat16)
    soil_memory()
    *found, _ = convolution.gradients(upstream, grid, weight, [True, True, False])
    for gradient, truth in zip(found, truths(planes)[1:], strict=True):
        torch.testing.assert_close(
            gradient.double(), truth, rtol=2**-7, atol=2**-7 * float(truth.abs().max())
        )


@pytest.mark.parametrize("planes", SIDES)
def test_a_layer_under_autocast_finds_what_fp64_finds(planes: int) -> None:
    grid, weight, upstream = parts(planes, torch.float32)
    layer = convolution.SameConvolution(4, 32)
    layer.load_state_dict({"weight": weight, "bias": torch.zeros(32)})
    soil_memory()
    with torch.autocast("cpu", torch.bfloat16):
        result = layer(grid.requires_grad_())
    found = torch.autograd.grad(result, (grid, layer.weight), upstream.bfloat16())
    for part, truth in zip((result, *found), truths(planes), strict=True):
        torch.testing.assert_close(part.double(), truth, rtol=2**-7, atol=2**-7 * float(truth.abs().max()))


def test_what_is_not_wanted_is_not_found() -> None:
    by_input, by_weights, _ = convolution.gradients(
        *(parts(2, torch.float32)[i] for i in (2, 0, 1)), [False, True, False]
    )
    assert by_input is None
    assert by_weights.shape == (32, 4, 3, 3, 3)
