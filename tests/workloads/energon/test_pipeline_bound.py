"""The simulated pipeline keeps the laws of queues in a row."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.energon.pipeline_bound import completions, utilisation

durations = st.floats(0.01, 10.0)
pipelines = st.tuples(st.integers(1, 5), st.integers(1, 12)).flatmap(
    lambda size: st.tuples(
        st.lists(st.lists(durations, min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]),
        st.lists(
            st.lists(durations, min_size=size[1], max_size=size[1]),
            min_size=size[0] - 1,
            max_size=size[0] - 1,
        ),
    )
)


def test_equal_requests_flow_as_filling_and_one_after_the_other() -> None:
    assert completions([[2.0] * 5] * 3, [[0.0] * 5] * 2, 4) == (6.0, 8.0, 10.0, 12.0, 14.0)


def test_blocking_stages_are_both_held_during_a_transfer() -> None:
    assert completions([[2.0] * 3] * 2, [[1.0] * 3], 0) == (5.0, 8.0, 11.0)


def test_transfers_beside_computing_cost_nothing_once_the_pipeline_is_full() -> None:
    assert completions([[2.0] * 3] * 2, [[1.0] * 3], 4) == (5.0, 7.0, 9.0)


def test_a_slow_link_sets_the_pace() -> None:
    assert completions([[1.0] * 4] * 2, [[3.0] * 4], 4) == (5.0, 8.0, 11.0, 14.0)


def test_a_full_link_holds_the_stage_before() -> None:
    first, second = [1.0, 1.0, 1.0, 1.0], [10.0, 1.0, 1.0, 1.0]
    # With one buffer, the third request leaves the first stage when the second has started behind it.
    assert completions([first, second, [0.0] * 4], [[0.0] * 4] * 2, 1)[-1] == 14.0
    assert completions([[*first], second], [[0.0] * 4], 1) == (11.0, 12.0, 13.0, 14.0)


@given(pipelines)
def test_more_buffers_never_slow_a_pipeline_down_and_blocking_never_speeds_it_up(
    pipeline: tuple[list[list[float]], list[list[float]]],
) -> None:
    ends = [completions(*pipeline, num_buffers)[-1] for num_buffers in (0, 1, 2, 4, 100)]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(ends))


@given(pipelines, st.integers(0, 5))
def test_no_pipeline_is_faster_than_its_busiest_stage_or_its_longest_request(
    pipeline: tuple[list[list[float]], list[list[float]]], num_buffers: int
) -> None:
    compute, transfer = pipeline
    end = completions(compute, transfer, num_buffers)[-1]
    longest = max(sum(times) for times in zip(*compute, *transfer, strict=True))
    assert end >= max(longest, *map(sum, compute)) - 1e-9
    assert 0 < utilisation(compute, transfer, num_buffers) <= 1 + 1e-9


@given(pipelines)
def test_requests_leave_in_the_order_in_which_they_came(
    pipeline: tuple[list[list[float]], list[list[float]]],
) -> None:
    ends = completions(*pipeline, 2)
    assert list(ends) == sorted(ends)


@pytest.mark.parametrize(
    ("compute", "transfer", "num_buffers"),
    [([[1.0]], [[1.0]], 1), ([[1.0], [1.0, 2.0]], [[1.0]], 1), ([[1.0]], [], -1), ([[]], [], 1)],
)
def test_what_is_no_pipeline_is_refused(
    compute: list[list[float]], transfer: list[list[float]], num_buffers: int
) -> None:
    with pytest.raises(ValueError, match="give one"):
        completions(compute, transfer, num_buffers)
