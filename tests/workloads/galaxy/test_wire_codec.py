"""Every wire format keeps the bound that it states, and carries as many bytes as the formula says."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.galaxy.engine.wire_codec import WireCodec
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.place import Place

SLACK = 1 + 2.0**-14
DTYPES = [torch.float32, torch.float64]


def drawn_rows(data: st.DataObject, dtype: torch.dtype) -> torch.Tensor:
    num_rows, num_columns = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 9))
    scale = 10.0 ** data.draw(st.integers(-37, 37))
    values = data.draw(
        st.lists(st.floats(-1.0, 1.0), min_size=num_rows * num_columns, max_size=num_rows * num_columns)
    )
    return (torch.tensor(values, dtype=torch.float64) * scale).to(dtype).view(num_rows, num_columns)


@given(st.data(), st.sampled_from(DTYPES), st.sampled_from(list(WireFormat)))
def test_errors_stay_within_the_stated_bound(
    data: st.DataObject, dtype: torch.dtype, wire: WireFormat
) -> None:
    rows = drawn_rows(data, dtype)
    codec = WireCodec(wire=wire, place=Place(device=torch.device("cpu"), dtype=dtype))
    raw = codec.encoded(rows)
    room = codec.room(*rows.shape)
    assert (raw.shape, raw.dtype) == (room.shape, room.dtype)
    assert raw.nbytes == wire_bytes(wire, *rows.shape, dtype.itemsize)
    room.copy_(raw)
    error = (codec.decoded(room, rows.shape[0]).double() - rows.double()).abs()
    match wire:
        case WireFormat.EXACT:
            assert not error.any()
        case WireFormat.BFLOAT16:
            assert (error <= rows.double().abs() * 2.0**-8 + 2.0**-133).all()
        case WireFormat.INT8:
            greatest = rows.double().abs().amax(dim=1, keepdim=True)
            assert (error <= (greatest / 254 * SLACK).clamp(min=2.0**-127 * SLACK)).all()


@given(
    st.sampled_from(list(WireFormat)),
    st.sampled_from([torch.inf, -torch.inf, torch.nan]),
    st.sampled_from(["one", "all"]),
)
def test_what_is_no_number_stays_none(wire: WireFormat, value: float, which: str) -> None:
    codec = WireCodec(wire=wire, place=Place(device=torch.device("cpu"), dtype=torch.float32))
    rows = torch.ones(2, 3)
    rows[1] = value if which == "all" else torch.tensor([1.0, value, 2.0])
    read = codec.decoded(codec.encoded(rows), 2)
    assert (read[0] - 1).abs().max() <= 1 / 254
    assert not read[1, 1].isfinite()


def test_rows_of_zeros_stay_zeros() -> None:
    for wire in WireFormat:
        codec = WireCodec(wire=wire, place=Place(device=torch.device("cpu"), dtype=torch.float32))
        assert not codec.decoded(codec.encoded(torch.zeros(3, 4)), 3).any()
