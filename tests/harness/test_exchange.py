import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from saih.harness.exchange import NO_COMMUNICATION, NoExchange, union_length

MANY_GROUPS = Path(__file__).with_name("many_groups.py")
INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])))


@given(INTERVALS)
def test_the_union_of_intervals_is_as_long_as_the_cells_they_cover(intervals: list[tuple[int, int]]) -> None:
    assert union_length(intervals) == len({cell for begin, end in intervals for cell in range(begin, end)})


def test_no_exchange_gives_the_model_itself_and_costs_nothing() -> None:
    model, exchange = nn.Linear(1, 1), NoExchange()
    assert exchange.attach(model) is model
    exchange.end_backward()
    assert exchange.take([5, 7]) == [NO_COMMUNICATION] * 2


@pytest.mark.slow
def test_a_group_never_ends_on_its_own_thread() -> None:
    done = subprocess.run(
        [sys.executable, str(MANY_GROUPS), "50"], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "50\n"), done.stderr
