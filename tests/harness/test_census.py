import json

import torch
from torch import nn

from saih.domain.counted import NOTE, CountedOperation, counted_notes, from_note, to_note
from saih.harness.census import Census
from workloads.protocol import OpKind


def of(operations: tuple[CountedOperation, ...], phase: str, kind: OpKind) -> list[CountedOperation]:
    return [one for one in operations if one.phase == phase and one.kind == kind]


def test_products_have_the_flops_and_bytes_of_their_operands() -> None:
    left, right = torch.rand(8, 16), torch.rand(16, 32)
    with Census() as census:
        for _ in range(3):
            torch.mm(left, right)
        census.end("forward")
    (found,) = census.operations()
    assert found.flops == 3 * 2 * 8 * 16 * 32
    assert found.memory_bytes == 3 * 4 * (8 * 16 + 16 * 32 + 8 * 32)
    assert found.num_kernels == 3
    assert abs(found.channels - 16) < 0.01


def test_a_convolution_is_counted_forward_and_backward() -> None:
    layer, batch = nn.Conv3d(4, 16, 3, padding=1), torch.rand(1, 4, 6, 6, 6)
    with Census() as census:
        loss = layer(batch).square().mean()
        census.end("forward")
        loss.backward()
        census.end("backward")
    (forward,) = of(census.operations(), "forward", OpKind.CONVOLUTION)
    (backward,) = of(census.operations(), "backward", OpKind.CONVOLUTION)
    assert forward.flops == 2 * 27 * 4 * 16 * 6**3
    assert backward.flops == forward.flops  # nobody asked for the gradient of the input
    assert forward.channels == backward.channels == 8


def test_views_and_allocations_run_nothing() -> None:
    values = torch.rand(4, 6)
    with Census() as census:
        values.t().reshape(24).detach()
        torch.empty(100)
        values.view(-1).add_(1.0)
        census.end("other")
    assert sum(one.num_kernels for one in census.operations()) == 2  # a copy for reshape, and the sum


def test_an_expanded_tensor_is_read_once() -> None:
    wide = torch.rand(1).expand(1000)
    with Census() as census:
        wide.sum()
        census.end("forward")
    assert census.operations()[0].memory_bytes == 8


def test_a_note_holds_the_operations_of_the_rank_that_does_least() -> None:
    few = (
        CountedOperation(
            phase="forward", kind=OpKind.MATMUL, flops=2, memory_bytes=3, num_kernels=1, channels=1.5
        ),
    )
    many = (*few, *few)
    assert from_note(counted_notes([many, few])[NOTE]) == few
    assert counted_notes([few, ()]) == {}


def test_a_note_that_is_none_says_nothing() -> None:
    for text in (
        "",
        "{",
        "[1]",
        '[["forward","matmul",1,2]]',
        '[["forward","matmul",1e99,2,3,4]]',
        "[[1,2,3,4,5,6]]",
        "[" * 100_000,
        "5",
        f'[["forward","matmul",1{"0" * 400},2,3,4]]',
        '[["forward","matmul",NaN,2,3,Infinity]]',
        json.dumps([["forward", "matmul", 1, 2, 3, 4]] * 2_001),
    ):
        assert from_note(text) == ()
    assert from_note(to_note(())) == ()


def test_what_is_not_differentiated_is_counted_too() -> None:
    """torch hands whole layers and attention over, where no gradient can be asked for."""
    layer, rows = nn.Linear(16, 32), torch.rand(8, 16)
    heads = torch.rand(2, 4, 10, 8)
    with Census() as census, torch.inference_mode():
        layer(rows)
        census.end("forward")
        torch.nn.functional.scaled_dot_product_attention(heads, heads, heads, is_causal=True)
        census.end("other")
    (product,) = of(census.operations(), "forward", OpKind.MATMUL)
    assert product.flops == 2 * 8 * 16 * 32
    (attention,) = of(census.operations(), "other", OpKind.MATMUL)
    assert attention.flops == 2 * 2 * (2 * 4) * 10 * 10 * 8
