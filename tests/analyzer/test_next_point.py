"""What is known of the points of a grid that were not measured."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from saih.analyzer.next_point import UNKNOWN, Grid, Place, beliefs
from saih.domain.interval import Interval


def step(value: float, width: float = 0.02) -> Interval:
    return Interval(low=value * (1 - width), value=value, high=value * (1 + width), level=0.95, count=20)


def grid(steps: Mapping[Any, float], left: Sequence[tuple[float, ...]]) -> Grid:
    places = [Place(point_id=str(sizes), sizes=sizes) for sizes in [*steps, *left]]
    return Grid(places=places, measured={str(sizes): step(value) for sizes, value in steps.items()})


def test_a_line_is_foreseen_between_its_points_and_more_surely_near_them() -> None:
    truth = {(float(size),): 2.0 + 0.5 * size for size in (1, 4, 32)}
    found = beliefs(grid(truth, [(2.0,), (8.0,), (16.0,)]))
    for size in (2.0, 8.0, 16.0):
        belief = found[str((size,))]
        assert not belief.is_measured
        assert abs(np.log(belief.step_ns / (2.0 + 0.5 * size))) < belief.half_width
    nearer = beliefs(grid(truth | {(8.0,): 6.0}, [(2.0,), (16.0,)]))
    assert nearer["(16.0,)"].half_width <= found["(16.0,)"].half_width


def test_a_surface_over_two_axes_holds_what_it_leaves_out() -> None:
    generator = np.random.default_rng(8)
    hits, count = 0, 0
    for _ in range(20):
        slope, bend = generator.uniform(0.3, 1.2, 2)
        truth = {
            (float(2**x), float(2**y)): float((2**x) ** slope * (1 + bend * 2**y))
            for x in range(4)
            for y in range(4)
        }
        chosen = [
            sizes
            for index, sizes in enumerate(truth)
            if index in (0, 3, 12, 15, 5, 10)
        ]  # fmt: skip
        noisy = {sizes: truth[sizes] * float(np.exp(0.01 * generator.standard_normal())) for sizes in chosen}
        left = [sizes for sizes in truth if sizes not in noisy]
        found = beliefs(grid(noisy, left))
        hits += sum(
            abs(np.log(found[str(sizes)].step_ns / truth[sizes])) <= found[str(sizes)].half_width
            for sizes in left
        )
        count += len(left)
    assert hits / count > 0.85


def test_a_point_that_the_others_do_not_foresee_makes_all_less_sure() -> None:
    straight = {(float(size),): float(size) for size in (1, 4, 16, 64)}
    odd = {**straight, (4.0,): 8.0}
    left = [(8.0,)]
    assert (
        beliefs(grid(odd, left))["(8.0,)"].half_width > 2 * beliefs(grid(straight, left))["(8.0,)"].half_width
    )


@pytest.mark.parametrize("count", [0, 1])
def test_one_point_says_nothing_of_the_others(count: int) -> None:
    found = beliefs(grid({(1.0,): 5.0} if count else {}, [(2.0,), (4.0,)]))
    assert found["(2.0,)"].half_width == UNKNOWN


def test_the_order_of_records_does_not_matter() -> None:
    truth = {(float(x), float(y)): 1.0 + x * y for x in (1, 2, 4) for y in (1, 3)}
    backwards = dict(reversed(list(truth.items())))
    left = [(8.0, 1.0), (8.0, 3.0)]
    first, second = beliefs(grid(truth, left)), beliefs(grid(backwards, left))
    for sizes in left:
        assert first[str(sizes)].step_ns == pytest.approx(second[str(sizes)].step_ns, rel=1e-9)
        assert first[str(sizes)].half_width == pytest.approx(second[str(sizes)].half_width, rel=1e-9)
