import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from saih.machine.arithmetic import backward_rungs, forward_rungs, grid_side, product_rungs
from saih.machine.memory_bandwidth import triad_rungs
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


@pytest.mark.parametrize("way", [0, 1])
def test_the_work_of_convolutions_is_what_torch_counts_in_both_directions(way: int) -> None:
    torch.set_num_threads(1)
    forward, backward = (rungs(CPU, FLOAT32, 1) for rungs in (forward_rungs, backward_rungs))
    for one, other in zip(forward, backward, strict=True):
        if one.size in (16, 64):
            assert counted_flops(one, way) == one.work
            assert counted_flops(other, way) == other.work == 2 * one.work


def test_grids_shrink_as_channels_grow_so_that_a_call_stays_affordable() -> None:
    sides = [grid_side(num_channels, 5e8) for num_channels in (4, 8, 16, 32, 64, 128)]
    assert sides == sorted(sides, reverse=True)
    assert grid_side(10_000, 1.0) == 4


def test_a_triad_computes_b_plus_three_c_over_the_stated_bytes() -> None:
    rung = triad_rungs(CPU, 1e7)[0]
    out = rung.ways[0]().call()
    assert isinstance(out, torch.Tensor)
    assert torch.equal(out, torch.full_like(out, 7.0))
    assert rung.work == 3 * out.numel() * 4 == rung.size


def test_working_sets_beyond_a_quarter_of_the_free_memory_are_left_out() -> None:
    assert triad_rungs(CPU, 0.0) == []
    sizes = [rung.size for rung in triad_rungs(CPU, 100e6)]
    assert sizes == sorted(sizes)
    assert max(sizes) <= 25e6
