import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cosmology.kernels import native, pooling

SLOPE = 0.3
FORMATS = (torch.float32, torch.bfloat16)
SHAPES = ((2, 1, 4, 6, 8), (1, 3, 2, 4, 4), (2, 16, 4, 4, 8), (1, 33, 4, 2, 6))


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def grid(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)
    return values.contiguous(memory_format=torch.channels_last_3d)


def activated_then_pooled(x: Tensor) -> Tensor:
    return functional.max_pool3d_with_indices(functional.leaky_relu(x, SLOPE), (2, 2, 2))[0]


def both_gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    pooled, expected = pooling.pooled_activation(ours, SLOPE), activated_then_pooled(theirs)
    upstream = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(9)).to(x.dtype)
    return torch.autograd.grad(pooled, ours, upstream)[0], torch.autograd.grad(expected, theirs, upstream)[0]


@pytest.mark.parametrize("dtype", [*FORMATS, torch.float64, torch.float16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_are_those_of_activating_first_bit_for_bit(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = grid(shape, dtype)
    x[:, :, :2] = -x[:, :, :2].abs()  # windows in which every value is scaled down
    x[0, 0, 0, 0, 0] = torch.nan
    ours = pooling.pooled_activation(x, SLOPE)
    torch.testing.assert_close(ours, activated_then_pooled(x), rtol=0, atol=0, equal_nan=True)
    assert ours[0, 0, 0, 0, 0].isnan()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_those_of_activating_first_bit_for_bit(shape: tuple[int, ...]) -> None:
    assert torch.equal(*both_gradients(grid(shape, torch.float32)))


def test_of_equal_voxels_the_first_takes_the_gradient_as_in_torch() -> None:
    x = grid((2, 16, 4, 8, 8), torch.float32).round()  # few values, so most windows have ties
    ours, theirs = both_gradients(x)
    assert torch.equal(ours, theirs)
    assert (ours != 0).sum() <= x.numel() / 8


def test_where_rounding_makes_activations_equal_the_larger_voxel_takes_the_gradient() -> None:
    steps = torch.randint(32, (2, 32, 8, 8, 8), generator=torch.Generator().manual_seed(3))
    x = (-1.75 - steps / 128).bfloat16()  # neighbours in bfloat16; times 0.3 some round to the same
    ours, theirs = both_gradients(x)
    torch.testing.assert_close(ours.float().sum(), theirs.float().sum(), rtol=1e-3, atol=1e-3)
    moved = ours != theirs
    assert 0 < moved.float().mean() < 0.1
    largest = functional.max_pool3d(x.float(), 2).repeat_interleave(2, 2)
    largest = largest.repeat_interleave(2, 3).repeat_interleave(2, 4)
    assert (x.float() == largest)[ours != 0].all()


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("slope", [SLOPE, 1.0])
def test_the_words_of_torch_for_other_devices_say_the_same(dtype: torch.dtype, slope: float) -> None:
    x = grid((2, 20, 4, 6, 8), dtype)
    pooled, winner = native.pool(x, slope)
    for ours, words in zip((pooled, winner), pooling.pool(x, slope), strict=True):
        assert torch.equal(ours, words)
    upstream = torch.randn_like(pooled)
    spread = native.pool_gradient(upstream, (pooled, winner), slope)
    words = pooling.pool_gradient(upstream, pooled, winner, slope)
    assert torch.equal(spread, words)
    assert words.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_the_words_of_torch_say_the_same_when_they_are_compiled() -> None:
    x = grid((2, 16, 4, 4, 8), torch.float32)
    pooled, winner = torch.compile(pooling.pool, dynamic=True)(x, SLOPE)
    assert torch.equal(pooled, native.pool(x, SLOPE)[0])
    spread = torch.compile(pooling.pool_gradient, dynamic=True)(pooled, pooled, winner, SLOPE)
    assert torch.equal(spread, native.pool_gradient(pooled, (pooled, winner), SLOPE))


def test_grids_with_channels_first_are_brought_into_order() -> None:
    x = grid((2, 3, 4, 4, 4), torch.float32)
    assert torch.equal(pooling.pooled_activation(x.contiguous(), SLOPE), activated_then_pooled(x))


def test_a_grid_without_whole_windows_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a grid of \(4, 5, 4\) voxels has no whole windows"):
        pooling.pooled_activation(torch.zeros(1, 1, 4, 5, 4), SLOPE)


def test_a_byte_for_each_window_and_its_value_are_all_that_is_kept() -> None:
    x = grid((2, 16, 8, 8, 8), torch.bfloat16).requires_grad_()
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
        pooled = pooling.pooled_activation(x, SLOPE)
    assert sum(tensor.numel() * tensor.element_size() for tensor in kept) == 3 * pooled.numel()
