"""Which point to measure next: deterministic, never twice, within the budget, and with an end."""

from dataclasses import replace

import numpy as np
import pytest

from saih.domain.adaptive import Asked
from saih.domain.point import Timing
from saih.planner.adaptive import Prospect, choose, next_round, relaxed, start_design


def prospects(generator: np.random.Generator, count: int = 12) -> list[Prospect]:
    return [
        Prospect(
            point_id=f"p{index}",
            half_width=float(generator.uniform(0, 0.4)),
            node_s=float(generator.uniform(1, 100)),
        )
        for index in range(count)
    ]


def test_the_start_is_the_corners_and_the_middle() -> None:
    grid = {f"{x},{y}": (float(2**x), float(3**y)) for x in range(5) for y in range(3)}
    assert set(start_design(grid)) == {"0,0", "4,0", "0,2", "4,2", "2,1"}


def test_one_axis_gets_a_fourth_point_that_tests_the_law_of_the_others() -> None:
    line = {str(power): (float(2**power),) for power in range(6)}
    assert set(start_design(line)) == {"0", "2", "3", "5"}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_short_line_is_its_own_start(count: int) -> None:
    line = {str(power): (float(2**power),) for power in range(count)}
    assert set(start_design(line)) == set(line)


def test_a_corner_that_cannot_run_is_stood_in_for_by_its_neighbour() -> None:
    grid = {f"{x},{y}": (float(2**x), float(2**y)) for x in range(4) for y in range(4) if (x, y) != (3, 3)}
    start = start_design(grid)
    assert {"2,3", "3,2"} & set(start)
    assert all(point_id in grid for point_id in start)


def test_the_order_of_prospects_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    for _ in range(50):
        found = prospects(generator)
        shuffled = [found[index] for index in generator.permutation(len(found))]
        assert choose(Asked(), ("p3",), found, 0.0) == choose(Asked(), ("p3",), shuffled, 0.0)


def test_most_doubt_per_node_time_is_next() -> None:
    cheap = Prospect(point_id="cheap", half_width=0.2, node_s=1.0)
    dear = Prospect(point_id="dear", half_width=0.4, node_s=100.0)
    sure = Prospect(point_id="sure", half_width=0.05, node_s=0.1)
    choice = choose(Asked(precision=0.1), (), [dear, sure, cheap], 0.0)
    assert choice.point_id == "cheap"
    assert "known within 20" in choice.reason
    crossed = replace(sure, crossing="input overtakes compute")
    assert choose(Asked(precision=0.5), (), [dear, crossed], 0.0).point_id == "sure"


def test_every_run_ends_never_repeats_and_keeps_to_its_budget() -> None:
    generator = np.random.default_rng(6)
    for _ in range(50):
        left = prospects(generator)
        budget = float(generator.uniform(0, 600))
        asked = Asked(precision=float(generator.uniform(0.02, 0.5)), budget_node_s=budget)
        spent = 0.0
        measured: list[str] = []
        while True:
            chosen, choice = next_round(asked, ("p0", "p1", "p2"), left, spent)
            assert choice.reason
            if not chosen:
                break
            assert not set(chosen) & set(measured)
            measured += chosen
            spent += sum(one.node_s for one in left if one.point_id in chosen)
            left = [one for one in left if one.point_id not in chosen]
        assert spent <= budget
        affordable = [one for one in left if spent + one.node_s <= budget]
        assert not any(one.half_width > asked.precision for one in affordable)


def test_the_start_is_one_round_as_far_as_the_budget_goes() -> None:
    found = [Prospect(point_id=f"p{index}", half_width=3.0, node_s=10.0 + index) for index in range(5)]
    chosen, _ = next_round(Asked(), ("p4", "p0", "p2"), found, 0.0)
    assert chosen == ("p0", "p2", "p4")
    chosen, _ = next_round(Asked(budget_node_s=23.0), ("p4", "p0", "p2"), found, 0.0)
    assert chosen == ("p0", "p2")
    nothing, choice = next_round(Asked(budget_node_s=1.0), ("p4", "p0"), found, 0.0)
    assert nothing == ()
    assert "budget is spent" in choice.reason


def test_points_are_measured_no_better_than_the_trend_needs() -> None:
    usual = Timing()
    assert relaxed(usual, 0.1).relative_width == pytest.approx(0.1)
    assert relaxed(usual, 0.1).min_steps == 6
    careless = Timing(relative_width=0.5, min_steps=3)
    assert relaxed(careless, 0.1) == careless


def test_a_point_that_costs_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="some node-time"):
        choose(Asked(), (), [Prospect(point_id="a", half_width=0.2, node_s=0.0)], 0.0)
