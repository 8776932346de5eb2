from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.galaxy.memory import MemoryNeed
from workloads.galaxy.planning.balance import Line, Seat, Shares, leaning, least_latest, made_up
from workloads.galaxy.planning.short_memory import balanced, within_memory

LINES = st.builds(Line, base=st.floats(0, 10), each=st.floats(0.1, 10))


@st.composite
def seats(draw: st.DrawFn) -> list[Seat]:
    num = draw(st.integers(1, 3))
    need = MemoryNeed(
        base_bytes=draw(st.integers(0, 5)),
        per_head_bytes=draw(st.integers(1, 5)),
        per_column_bytes=draw(st.integers(1, 5)),
    )
    return [
        Seat(attention=draw(LINES), mlp=draw(LINES), need=need, budget_bytes=draw(st.integers(5, 80)))
        for _ in range(num)
    ]


def cost(of: list[Seat], shares: Shares) -> float:
    attention = max(seat.attention.at(own) for seat, own in zip(of, shares.heads, strict=True))
    return attention + max(seat.mlp.at(own) for seat, own in zip(of, shares.columns, strict=True))


def together(of: list[Seat], shares: Shares) -> float:
    """The latest device of both halves together."""
    each = zip(of, shares.heads, shares.columns, strict=True)
    return max(seat.attention.at(heads) + seat.mlp.at(columns) for seat, heads, columns in each)


def fits(of: list[Seat], shares: Shares) -> bool:
    return all(
        seat.need.of(heads, columns) <= seat.budget_bytes
        for seat, heads, columns in zip(of, shares.heads, shares.columns, strict=True)
    )


def all_sizes(total: int, num: int) -> list[tuple[int, ...]]:
    return [sizes for sizes in product(range(1, total + 1), repeat=num) if sum(sizes) == total]


@given(seats(), st.integers(3, 6), st.integers(3, 8))
def test_no_other_shares_that_fit_are_much_better(of: list[Seat], num_heads: int, num_columns: int) -> None:
    possible = [
        Shares(heads=heads, columns=columns)
        for heads in all_sizes(num_heads, len(of))
        for columns in all_sizes(num_columns, len(of))
    ]
    possible = [shares for shares in possible if fits(of, shares)]
    found = balanced(of, num_heads, num_columns)
    if found is None:
        assert not possible or len(of) > 1  # a search may miss what only just fits
        return
    assert fits(of, found)
    assert (sum(found.heads), sum(found.columns)) == (num_heads, num_columns)
    assert min(found.heads + found.columns) >= 1
    least = min(cost(of, shares) for shares in possible)
    is_tight = any(seat.need.of(num_heads, num_columns) > seat.budget_bytes for seat in of)
    assert cost(of, found) <= least * (1.35 if is_tight else 1 + 1e-6)


@given(seats(), st.integers(3, 6), st.integers(3, 8))
def test_no_other_columns_make_up_better_for_whole_heads(
    of: list[Seat], num_heads: int, num_columns: int
) -> None:
    found = made_up(of, num_heads, num_columns)
    if found is None:
        assert any(seat.need.of(num_heads, num_columns) > seat.budget_bytes for seat in of)
        return
    assert fits(of, found)
    assert (sum(found.heads), sum(found.columns)) == (num_heads, num_columns)
    assert min(found.heads + found.columns) >= 1
    others = [Shares(heads=found.heads, columns=columns) for columns in all_sizes(num_columns, len(of))]
    least = min(together(of, shares) for shares in others if fits(of, shares))
    assert together(of, found) <= least * (1 + 1e-6)


def test_who_has_a_head_too_many_has_columns_too_few() -> None:
    line, need = Line(base=0.0, each=1.0), MemoryNeed(base_bytes=0, per_head_bytes=1, per_column_bytes=1)
    seat = Seat(attention=line, mlp=line, need=need, budget_bytes=100)
    found = made_up([seat, seat], 3, 9)
    assert found is not None
    assert [heads + columns for heads, columns in zip(found.heads, found.columns, strict=True)] == [6, 6]


@given(st.lists(LINES, min_size=1, max_size=4), st.integers(4, 30))
def test_the_latest_is_as_early_as_can_be(lines: list[Line], total: int) -> None:
    sizes = least_latest(lines, total, [total] * len(lines))
    assert sizes is not None
    assert sum(sizes) == total
    latest = max(line.at(size) for line, size in zip(lines, sizes, strict=True))
    # Taking one away from the latest gives it to another, which would be later still, or it has one only.
    for place, size in enumerate(sizes):
        if lines[place].at(size) < latest * (1 - 1e-9) or size == 1:
            continue
        for other, line in enumerate(lines):
            assert other == place or line.at(sizes[other] + 1) >= latest * (1 - 1e-6)


def test_nothing_is_found_where_there_is_not_one_for_each() -> None:
    line = Line(base=0.0, each=1.0)
    assert least_latest([line, line], 1, [1, 1]) is None
    assert least_latest([line, line], 5, [2, 2]) is None


@given(seats(), st.integers(3, 6), st.integers(3, 8))
def test_shares_within_memory_fit_and_the_best_come_first(
    of: list[Seat], num_heads: int, num_columns: int
) -> None:
    found = within_memory(of, num_heads, num_columns)
    for shares in found:
        assert fits(of, shares)
        assert (sum(shares.heads), sum(shares.columns)) == (num_heads, num_columns)
    costs = [cost(of, shares) for shares in found]
    assert costs == sorted(costs)


@pytest.mark.parametrize("factor", [1.1, 1.4])
def test_shares_that_lean_give_the_fastest_more_of_both(factor: float) -> None:
    need = MemoryNeed(base_bytes=0, per_head_bytes=1, per_column_bytes=1)
    lines = [Line(base=0.0, each=each) for each in (2.0, 1.0, 2.0)]
    of = [Seat(attention=line, mlp=line, need=need, budget_bytes=200) for line in lines]
    level, found = balanced(of, 80, 200), leaning(of, 80, 200, factor)
    assert level is not None
    assert found is not None
    assert (sum(found.heads), sum(found.columns)) == (80, 200)
    assert found.heads[1] > level.heads[1]
    assert found.columns[1] > level.columns[1]
    tight = [Seat(attention=line, mlp=line, need=need, budget_bytes=141) for line in lines]
    assert leaning(tight, 80, 200, factor) is None


def test_a_later_attention_is_not_taken_where_it_is_of_no_use() -> None:
    """Most moments give the same shares; only some early ones better ones."""
    each = [(29.39, 0.1225, 923), (133.2, 0.6454, 3339), (110.58, 0.636, 1322), (10.05, 0.0538, 3171)]
    need = MemoryNeed(base_bytes=0, per_head_bytes=146, per_column_bytes=1)
    of = [
        Seat(
            attention=Line(base=1.0, each=attention),
            mlp=Line(base=1.0, each=mlp),
            need=need,
            budget_bytes=room,
        )
        for attention, mlp, room in each
    ]
    found = balanced(of, 12, 3072)
    assert found is not None
    assert found.heads[1:3] == (1, 1)
