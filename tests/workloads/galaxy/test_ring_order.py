"""Rings are as good as all orders say for few devices, and as any one change says for many."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from math import inf
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from workloads.galaxy.planning import ring_descent
from workloads.galaxy.planning.ring_order import ring_orders
from workloads.galaxy.profile import ClusterProfile, LinkProfile

NUM_BYTES = 1e5


def links_of(num: int, seed: int, *, kinds: int = 0) -> ClusterProfile:
    """Links of random rates, of a few ``kinds`` or all different; both directions have their own."""
    chance = Random(seed)
    rates = [chance.uniform(1e6, 1e8) for _ in range(kinds or num * num)]

    def link() -> LinkProfile:
        return LinkProfile(delay_ns=1e5, rate=chance.choice(rates), message_ns=2e4)

    return ClusterProfile(devices=(), links=tuple(tuple(link() for _ in range(num)) for _ in range(num)))


def hops(of: ClusterProfile, order: Sequence[int]) -> tuple[float, float]:
    """The slowest, and all in sum."""
    times = [of.links[sender][other].time_ns(NUM_BYTES) for sender, other in pairwise((*order, order[0]))]
    return max(times), sum(times)


def changes(order: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every part turned around, and up to three neighbours moved anywhere."""
    num = len(order)
    for begin in range(1, num - 1):
        for end in range(begin + 2, num + 1):
            yield (*order[:begin], *reversed(order[begin:end]), *order[end:])
    for length in (1, 2, 3):
        for begin in range(1, num - length + 1):
            moved, rest = order[begin : begin + length], (*order[:begin], *order[begin + length :])
            for place in range(1, len(rest) + 1):
                yield (*rest[:place], *moved, *rest[place:])


@given(st.integers(2, 8), st.integers(0, 2**32), st.sampled_from((0, 2, 3)))
@settings(max_examples=30, deadline=None)
def test_of_few_devices_no_order_is_better(num: int, seed: int, kinds: int) -> None:
    of = links_of(num, seed, kinds=kinds)
    found = ring_orders(of, range(num), NUM_BYTES)
    every = [hops(of, (0, *order)) for order in permutations(range(1, num))]
    assert all(order[0] == 0 and sorted(order) == list(range(num)) for order in found)
    assert hops(of, found[0]) <= (min(every)[0] * 1.03, inf)  # equal links are not told apart
    if len({link.rate for row in of.links for link in row}) > 3:
        assert hops(of, found[0])[0] == min(every)[0]
        assert min(hops(of, order)[1] for order in found) == pytest.approx(min(total for _, total in every))


@given(st.integers(9, 14), st.integers(0, 2**32), st.sampled_from((0, 3)))
@settings(max_examples=20, deadline=None)
def test_of_many_devices_no_change_is_better(num: int, seed: int, kinds: int) -> None:
    of = links_of(num, seed, kinds=kinds)
    times = [link.time_ns(NUM_BYTES) for row in of.links for link in row]
    assume(max(times) > 1.05 * min(times))  # else they count as equal
    evenest, shortest = (ring_orders(of, range(num), NUM_BYTES) * 2)[:2]
    assert evenest[0] == shortest[0] == 0
    assert sorted(evenest) == sorted(shortest) == list(range(num))
    slowest, total = hops(of, evenest)
    for changed in changes(evenest):
        assert hops(of, changed) >= (slowest, total * (1 - 1e-9))
    least = hops(of, shortest)[1] * (1 - 1e-9)
    assert all(hops(of, changed)[1] >= least for changed in changes(shortest))


@given(st.integers(4, 9), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_what_a_change_would_give_is_known_without_making_it(num: int, seed: int) -> None:
    """Every change of every table is made by hand."""
    of = links_of(num, seed)
    times = np.array([[link.time_ns(NUM_BYTES) for link in row] for row in of.links])
    order = tuple(range(num))
    counted = 0
    tables = [ring_descent._reversals(times), *(ring_descent._moves(times, length) for length in (1, 2, 3))]
    for length, table in enumerate(tables):
        for begin, other in zip(*np.nonzero(np.isfinite(table.sums)), strict=True):
            if length:
                rest = (*order[:begin], *order[begin + length :])
                changed = (*rest[:other], *order[begin : begin + length], *rest[other:])
            else:
                changed = (*order[:begin], *reversed(order[begin:other]), *order[other:])
            slowest, total = hops(of, changed)
            assert table.slowest[begin, other] == pytest.approx(slowest)
            assert table.sums[begin, other] == pytest.approx(total)
            counted += 1
    assert counted == len({*changes(order)} - {order}) or counted >= len({*changes(order)}) - 1


def test_equal_links_need_one_order() -> None:
    of = links_of(12, 1, kinds=1)
    assert ring_orders(of, range(12), NUM_BYTES) == [tuple(range(12))]
    assert ring_orders(of, (7, 3, 5), NUM_BYTES) == [(7, 3, 5)]


def test_devices_keep_their_numbers() -> None:
    of = links_of(12, 3)
    devices = (11, 4, 2, 9, 0, 5, 7, 1, 3)
    for order in ring_orders(of, devices, NUM_BYTES):
        assert order[0] == 11
        assert sorted(order) == sorted(devices)
