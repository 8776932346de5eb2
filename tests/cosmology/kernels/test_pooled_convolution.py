import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cosmology.kernels import native
from cosmology.kernels.pooled_convolution import is_faster, pooled_convolution

SLOPE = 0.3
ROUNDED_FIRST = 0.15
"""With tiles, sums are pooled before they are rounded. Where torch rounds first, voxels of a window that
become equal may give the gradient to another one than in fp64."""


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def parts(in_channels: int, channels: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Grid, weights and bias, all exact in bfloat16, so that only sums and results are rounded."""
    generator = torch.Generator().manual_seed(in_channels + channels)
    x = torch.randn((2, in_channels, *shape), generator=generator)
    weight = torch.randn((channels, in_channels, 3, 3, 3), generator=generator) / (27 * in_channels) ** 0.5
    bias = 0.1 * torch.randn(channels, generator=generator)
    return tuple(part.bfloat16().float() for part in (x, weight, bias))  # type: ignore[return-value]  # of three


def written_out(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    full = functional.conv3d(x, weight, bias, padding=1)
    return functional.max_pool3d(functional.leaky_relu(full, SLOPE), 2)


def run(dtype: torch.dtype, *given: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Result, the gradient it is given, and the gradients of weights and bias."""
    x, *parameters = given
    weight, bias = (parameter.clone().requires_grad_() for parameter in parameters)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        pooled = pooled_convolution(x, weight, bias, SLOPE)
    upstream = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(1)).to(pooled.dtype)
    return pooled, upstream, *torch.autograd.grad(pooled, (weight, bias), upstream)


CASES = [
    (4, 32, (16, 16, 16)),
    (4, 8, (8, 8, 8)),
    (1, 5, (4, 2, 6)),
    (3, 40, (4, 4, 32)),
    (2, 32, (2, 4, 24)),
    (6, 16, (4, 6, 8)),
    (10, 33, (2, 4, 16)),
]


@pytest.mark.parametrize(("in_channels", "channels", "shape"), CASES)
def test_float32_gives_what_fp64_gives(in_channels: int, channels: int, shape: tuple[int, ...]) -> None:
    given = parts(in_channels, channels, shape)
    pooled, upstream, *gradients = run(torch.float32, *given)
    x, weight, bias = (part.double().requires_grad_() for part in given)
    expected = written_out(x, weight, bias)
    torch.testing.assert_close(pooled.double(), expected, rtol=1e-5, atol=1e-5)
    truths = torch.autograd.grad(expected, (weight, bias), upstream.double())
    for gradient, truth in zip(gradients, truths, strict=True):
        torch.testing.assert_close(gradient.double(), truth, rtol=1e-5, atol=1e-5 * float(truth.abs().max()))


@pytest.mark.parametrize(("in_channels", "channels", "shape"), CASES)
def test_bfloat16_gives_what_fp64_gives_rounded(
    in_channels: int, channels: int, shape: tuple[int, ...]
) -> None:
    given = parts(in_channels, channels, shape)
    pooled, upstream, *gradients = run(torch.bfloat16, *given)
    x, weight, bias = (part.double().requires_grad_() for part in given)
    expected = written_out(x, weight, bias)
    assert pooled.dtype is torch.bfloat16
    torch.testing.assert_close(pooled.double(), expected, rtol=2**-7, atol=2**-9)
    truths = torch.autograd.grad(expected, (weight, bias), upstream.double())
    is_exact = native.has_tiles() and shape[-1] >= native.TILE_VOXELS
    for gradient, truth in zip(gradients, truths, strict=True):
        assert (gradient.double() - truth).norm() < (1e-5 if is_exact else ROUNDED_FIRST) * truth.norm()


def test_gradients_have_the_order_of_their_weights() -> None:
    x, weight, bias = parts(4, 8, (4, 4, 4))
    weight = weight.contiguous(memory_format=torch.channels_last_3d)
    assert run(torch.float32, x, weight, bias)[2].stride() == weight.stride()


def test_a_grid_whose_gradient_is_wanted_has_it() -> None:
    x, weight, bias = parts(8, 32, (8, 8, 16))
    upstream = torch.randn((2, 32, 4, 4, 8), generator=torch.Generator().manual_seed(1)).bfloat16()
    ours, theirs = x.clone().requires_grad_(), x.double().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pooled_convolution(ours, weight.requires_grad_(), bias, SLOPE)
    gradients = torch.autograd.grad(pooled, (ours, weight), upstream)
    other = weight.detach().double().requires_grad_()
    expected = written_out(theirs, other, bias.double())
    truths = torch.autograd.grad(expected, (theirs, other), upstream.double())
    for gradient, truth in zip(gradients, truths, strict=True):
        limit = 0.03 if native.has_tiles() else ROUNDED_FIRST
        assert (gradient.double() - truth).norm() < limit * truth.norm()


def test_only_what_is_faster_is_taken() -> None:
    x, weight, _ = parts(4, 8, (4, 4, 4))
    many = torch.zeros(8, native.MOST_WINDOW_CHANNELS + 1, 3, 3, 3)
    assert is_faster(x, weight)
    assert not is_faster(x, many)
    assert not is_faster(x.double(), weight.double())
    assert not is_faster(x.clone().requires_grad_(), weight)
    with torch.autocast("cpu", torch.bfloat16):
        assert is_faster(x, many) == native.has_tiles()


def test_the_number_of_threads_changes_no_bit_of_the_result() -> None:
    given = parts(4, 32, (16, 16, 16))
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(run(torch.bfloat16, *given)[0])
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize(("channels", "shape"), [(32, (4, 4, 8)), (64, (8, 8, 8)), (32, (2, 16, 16))])
def test_gradients_of_tiles_are_those_of_fp64_in_float32_digits(
    channels: int, shape: tuple[int, int, int]
) -> None:
    generator = torch.Generator().manual_seed(channels)
    x, values, upstream = (
        torch.randn((2, number, *sides), generator=generator).bfloat16()
        for number, sides in ((32, [2 * side for side in shape]), (channels, shape), (channels, shape))
    )
    winner = torch.randint(8, values.shape, generator=generator, dtype=torch.uint8)
    layout = torch.channels_last_3d
    pooled = values.contiguous(memory_format=layout), winner.contiguous(memory_format=layout)
    assert native.has_weight_tiles(values, 32)
    full = native.pool_gradient(upstream, pooled, SLOPE).double()
    ones, weight = [1, 1, 1], torch.zeros(channels, 32, 3, 3, 3, dtype=torch.float64)
    _, by_weights, by_bias = torch.ops.aten.convolution_backward(
        *(full, x.double(), weight, [channels], ones, ones, ones, False, [0, 0, 0], 1), [False, True, True]
    )
    if not native.has_tiles():
        with pytest.raises(ValueError, match="no tiles"):
            native.weight_gradient(x, upstream, pooled, SLOPE)
        return
    gradients = native.weight_gradient(x, upstream, pooled, SLOPE)
    for gradient, truth in zip(gradients, (by_weights, by_bias), strict=True):
        torch.testing.assert_close(gradient.double(), truth, rtol=1e-5, atol=1e-5 * float(truth.abs().max()))
