import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from saih.domain.ceiling import CeilingKind
from saih.machine.arithmetic import convolution_rungs, grid_side, product_rungs
from saih.machine.memory_bandwidth import memory_rungs
from saih.machine.sampling import Rung

CPU = torch.device("cpu")
FLOAT32 = torch.float32


def counted_flops(rung: Rung, way: int = 0) -> int:
    call = rung.ways[way]().call
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops()


def test_the_work_of_products_is_what_torch_counts() -> None:
    for rung in product_rungs(CPU, FLOAT32)[:3]:
        assert counted_flops(rung) == rung.work


@pytest.mark.parametrize("way", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "factor"),
    [
        (CeilingKind.CONVOLUTION_FORWARD, 1),
        (CeilingKind.CONVOLUTION_BACKWARD, 2),
        (CeilingKind.CONVOLUTION_BACKWARD_WEIGHT, 1),
        (CeilingKind.CONVOLUTION_BACKWARD_INPUT, 1),
    ],
)
def test_the_work_of_convolutions_is_what_torch_counts_in_every_direction(
    kind: CeilingKind, factor: int, way: int
) -> None:
    forward = convolution_rungs(CeilingKind.CONVOLUTION_FORWARD, CPU, FLOAT32, 1)
    for one, other in zip(forward, convolution_rungs(kind, CPU, FLOAT32, 1), strict=True):
        if one.size in (16, 64):
            assert counted_flops(other, way) == other.work == factor * one.work


@pytest.mark.parametrize(
    "kind", [CeilingKind.CONVOLUTION_BACKWARD_WEIGHT, CeilingKind.CONVOLUTION_BACKWARD_INPUT]
)
def test_a_backward_pass_computes_the_one_gradient_that_it_is_named_after(kind: CeilingKind) -> None:
    by_input, by_weight, by_bias = convolution_rungs(kind, CPU, FLOAT32, 1)[-1].ways[0]().call()
    assert by_bias is None
    assert (by_weight is None) == (kind is CeilingKind.CONVOLUTION_BACKWARD_INPUT)
    assert (by_input is None) == (kind is CeilingKind.CONVOLUTION_BACKWARD_WEIGHT)


def test_grids_shrink_as_channels_grow_so_that_a_call_stays_affordable() -> None:
    sides = [grid_side(num_channels, 5e8) for num_channels in (4, 8, 16, 32, 64, 128)]
    assert sides == sorted(sides, reverse=True)
    assert grid_side(10_000, 1.0) == 4


@pytest.mark.parametrize(
    ("kind", "result", "num_arrays"),
    [
        (CeilingKind.MEMORY, 1.0 + 3 * 2.0, 3),
        (CeilingKind.MEMORY_COPY, 2.0, 2),
        (CeilingKind.MEMORY_SCALE, 6.0, 2),
        (CeilingKind.MEMORY_ADD, 3.0, 3),
    ],
)
def test_kernels_of_memory_compute_what_stream_does_over_the_stated_bytes(
    kind: CeilingKind, result: float, num_arrays: int
) -> None:
    rung = memory_rungs(kind, CPU, 1e7)[0]
    out = rung.ways[0]().call()
    assert isinstance(out, torch.Tensor)
    assert torch.equal(out, torch.full_like(out, result))
    assert rung.work == num_arrays * out.numel() * 4 == rung.size


def test_working_sets_beyond_a_quarter_of_the_free_memory_are_left_out() -> None:
    assert memory_rungs(CeilingKind.MEMORY, CPU, 0.0) == []
    sizes = [rung.size for rung in memory_rungs(CeilingKind.MEMORY, CPU, 100e6)]
    assert sizes == sorted(sizes)
    assert max(sizes) <= 25e6
