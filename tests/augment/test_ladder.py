import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment import ladder
from augment.ladder import Ladder
from augment.problem import Problem, ProblemError, Shape

BASE = Problem(data=Shape.of(samples=8, resolution=16), model=Shape.of(width=8, depth=1))
COLUMN = st.lists(st.integers(1, 99), min_size=1, max_size=4)


def test_paired_lists_make_one_rung_for_each_pair() -> None:
    built = ladder.build("data", {"resolution": [16, 32], "samples": [64, 8]}, "zip")
    assert built.rungs == (Shape.of(resolution=16, samples=64), Shape.of(resolution=32, samples=8))


@given(COLUMN, COLUMN)
def test_crossed_lists_make_every_combination_in_order(widths: list[int], depths: list[int]) -> None:
    built = ladder.build("model", {"width": widths, "depth": depths}, "product")
    assert built.rungs == tuple(Shape.of(width=width, depth=depth) for width in widths for depth in depths)


def test_lists_of_different_length_cannot_be_paired() -> None:
    with pytest.raises(ProblemError, match="width has 2, depth has 1") as caught:
        ladder.build("model", {"width": [8, 16], "depth": [1]}, "zip")
    assert "combine: product" in str(caught.value)


def test_an_empty_list_is_named() -> None:
    with pytest.raises(ProblemError, match=r"model ladder is empty \(depth\)"):
        ladder.build("model", {"width": [8], "depth": []}, "zip")


def test_a_ladder_without_lists_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"data ladder is empty \(no size\)"):
        ladder.build("data", {}, "product")


def test_a_ladder_needs_a_rung() -> None:
    with pytest.raises(ProblemError, match="the data ladder is empty"):
        Ladder(axis="data", rungs=())


@given(COLUMN, COLUMN)
def test_climbing_reaches_the_product_of_the_ladders_first_ladder_slowest(
    resolutions: list[int], widths: list[int]
) -> None:
    ladders = [
        ladder.build("data", {"resolution": resolutions}, "zip"),
        ladder.build("model", {"width": widths}, "zip"),
    ]
    reached = [(p.data["resolution"], p.model["width"]) for p in ladder.climb(BASE, ladders)]
    assert reached == [(resolution, width) for resolution in resolutions for width in widths]


def test_climbing_keeps_what_no_rung_sets() -> None:
    (problem,) = ladder.climb(BASE, [ladder.build("data", {"resolution": [32]}, "zip")])
    assert problem.data["samples"] == 8
    assert problem.model == BASE.model


def test_without_ladders_the_base_is_reached() -> None:
    assert ladder.climb(BASE, []) == (BASE,)
