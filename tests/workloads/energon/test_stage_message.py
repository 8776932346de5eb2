"""What a header tells comes out as it went in, in a size that never changes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.energon.stage_message import (
    HEADER_BYTES,
    Header,
    Kind,
    Message,
    decoded,
    encoded,
    header_of,
)

numbers = st.integers(0, 2**63 - 1)
headers = st.builds(
    Header,
    kind=st.sampled_from(Kind),
    key=numbers,
    num_rows=numbers,
    num_columns=numbers,
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]),
    failure=st.text(max_size=100),
)


@given(headers)
def test_a_header_comes_out_as_it_went_in(header: Header) -> None:
    assert len(encoded(header)) == HEADER_BYTES
    assert decoded(encoded(header)) == header


@given(st.text(min_size=200, max_size=2000))
def test_of_a_long_failure_its_begin_is_told(text: str) -> None:
    data = encoded(Header(kind=Kind.FAILED, failure=text))
    assert len(data) == HEADER_BYTES
    told = decoded(data).failure
    assert text.startswith(told)
    assert len(told.encode()) >= min(len(text.encode()), HEADER_BYTES - 64)


def test_a_message_with_rows_announces_their_size_and_one_without_its_failure() -> None:
    rows = header_of(Message(key=3, rows=torch.zeros(2, 5, dtype=torch.bfloat16)))
    assert rows == Header(kind=Kind.ROWS, key=3, num_rows=2, num_columns=5, dtype=torch.bfloat16)
    failed = header_of(Message(key=4, rows=None, failure="no memory"))
    assert failed == Header(kind=Kind.FAILED, key=4, failure="no memory")


def test_rows_of_a_type_that_nobody_expects_are_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        encoded(header_of(Message(key=1, rows=torch.zeros(1, 1, dtype=torch.int64))))
