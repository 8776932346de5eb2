"""Where tokens lie, against counting them one by one."""

from hypothesis import given
from hypothesis import strategies as st

from workloads.transformer.layout import Layout

lengths = st.lists(st.integers(1, 20), min_size=1, max_size=8).map(tuple)


@given(lengths)
def test_packed_rows_are_the_tokens_one_after_the_other(lengths: tuple[int, ...]) -> None:
    layout = Layout(lengths=lengths)
    rows = [(sequence, token) for sequence, length in enumerate(lengths) for token in range(length)]
    assert layout.num_rows == len(rows)
    assert layout.num_sequences == len(lengths)
    assert [rows[start] for start in layout.starts] == [(sequence, 0) for sequence in range(len(lengths))]
    assert [rows[row] for row in layout.last_rows] == [(s, length - 1) for s, length in enumerate(lengths)]


@given(lengths, st.integers(0, 5))
def test_padded_rows_are_the_tokens_and_padding_behind_them(lengths: tuple[int, ...], spare: int) -> None:
    width = max(lengths) + spare
    layout = Layout(lengths=lengths, padded_to=width)
    rows = [(sequence, token) for sequence in range(len(lengths)) for token in range(width)]
    assert layout.num_rows == len(rows)
    assert [rows[start] for start in layout.starts] == [(sequence, 0) for sequence in range(len(lengths))]
    assert [rows[row] for row in layout.last_rows] == [(s, length - 1) for s, length in enumerate(lengths)]


@given(st.integers(1, 20), st.integers(1, 8))
def test_sequences_of_one_length_lie_alike_packed_and_padded(length: int, num_sequences: int) -> None:
    packed = Layout(lengths=(length,) * num_sequences)
    padded = Layout(lengths=(length,) * num_sequences, padded_to=length)
    assert (packed.starts, packed.last_rows, packed.num_rows) == (
        padded.starts,
        padded.last_rows,
        padded.num_rows,
    )


@given(lengths)
def test_without_a_past_there_are_no_tokens_in_the_cache(lengths: tuple[int, ...]) -> None:
    assert Layout(lengths=lengths).past_lengths == (0,) * len(lengths)
    assert Layout(lengths=lengths, past=lengths).past_lengths == lengths
