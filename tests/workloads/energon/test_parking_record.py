"""How a layer's weights lie in one piece of memory."""

import pytest
import torch

from workloads.energon.layer_record import record_of


def weights_of_many_kinds() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    square = torch.randn(6, 5, generator=generator)
    return {
        "plain": square,
        "turned": torch.randn(7, 3, generator=generator).T,
        "with holes": torch.randn(8, 9, generator=generator)[:, 2:5],
        "half": torch.randn(11, generator=generator).to(torch.bfloat16),
        "double": torch.randn(1, generator=generator, dtype=torch.float64),
    }


def test_a_piece_of_memory_gives_the_same_weights_back() -> None:
    weights = weights_of_many_kinds()
    record = record_of(weights)
    piece = torch.empty(record.num_bytes, dtype=torch.uint8)
    record.write(weights, piece)
    views = record.views(piece.clone())
    assert list(views) == list(weights)
    for name, weight in weights.items():
        assert views[name].dtype == weight.dtype
        assert torch.equal(views[name], weight)
    assert views["turned"].stride() == weights["turned"].stride()


def test_weights_begin_where_the_allocator_of_torch_would_let_them_begin() -> None:
    record = record_of(weights_of_many_kinds())
    assert all(field.begin_bytes % 64 == 0 for field in record.fields)
    ends = [field.begin_bytes + field.num_bytes for field in record.fields]
    begins = [field.begin_bytes for field in record.fields[1:]] + [record.num_bytes]
    assert all(end <= begin < end + 64 for end, begin in zip(ends, begins, strict=True))


def test_layers_that_differ_are_refused() -> None:
    record = record_of({"weight": torch.zeros(2, 3)})
    piece = torch.empty(record.num_bytes, dtype=torch.uint8)
    for other in (
        {"weight": torch.zeros(3, 2)},
        {"bias": torch.zeros(2, 3)},
        {"weight": torch.zeros(2, 3).double()},
    ):
        with pytest.raises(ValueError, match="layers of one stage differ"):
            record.write(other, piece)
