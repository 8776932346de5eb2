"""How many ranks a universe takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmology.definition import DatasetError, UniverseDefinition
from cosmology.slabs.memory import rank_memory_bytes, ranks_per_universe

LARGE = UniverseDefinition(seed=0, side=1024)


def test_memory_of_a_rank_falls_nearly_as_ranks_grow() -> None:
    found = [rank_memory_bytes(LARGE, num_ranks) for num_ranks in (1, 2, 4, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] / found[2] > 2.5


@given(st.integers(10**9, 10**13), st.integers(0, 12))
def test_as_few_ranks_as_can_hold_a_universe_make_it(memory_bytes: int, log_ranks: int) -> None:
    num_ranks = 2**log_ranks
    if rank_memory_bytes(LARGE, min(num_ranks, LARGE.side)) > memory_bytes:
        with pytest.raises(DatasetError, match="use more ranks"):
            ranks_per_universe(LARGE, memory_bytes, num_ranks)
        return
    size = ranks_per_universe(LARGE, memory_bytes, num_ranks)
    assert size <= num_ranks
    assert rank_memory_bytes(LARGE, size) <= memory_bytes
    assert size == 1 or rank_memory_bytes(LARGE, size // 2) > memory_bytes


def test_a_rank_whose_memory_nobody_limits_makes_universes_alone() -> None:
    assert ranks_per_universe(LARGE, 10**15, 8) == 1


def test_too_little_memory_is_said_with_the_figures() -> None:
    with pytest.raises(
        DatasetError, match=r"1024\^3 particles .* takes \d+\.?\d* GB on each of 2 ranks, and each has 8 GB"
    ):
        ranks_per_universe(LARGE, 8 * 10**9, 2)
