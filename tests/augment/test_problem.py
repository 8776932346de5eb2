import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import MAX_COUNT, Problem, ProblemError, Shape

SIZES = st.dictionaries(
    st.text(max_size=8), st.integers() | st.floats(allow_nan=False) | st.text(max_size=8), max_size=6
)


@given(SIZES)
def test_a_shape_is_the_mapping_that_it_was_made_of(sizes: dict[str, int | float | str]) -> None:
    shape = Shape.of(sizes)
    assert dict(shape) == sizes
    assert len(shape) == len(sizes)
    assert list(shape) == sorted(sizes)


@given(SIZES)
def test_equal_sizes_make_equal_shapes_in_any_order(sizes: dict[str, int | float | str]) -> None:
    backwards = dict(reversed(sizes.items()))
    assert Shape.of(sizes) == Shape.of(backwards)
    assert hash(Shape.of(sizes)) == hash(Shape.of(backwards))


@given(SIZES, SIZES, SIZES)
def test_replacing_sizes_twice_is_replacing_them_once(
    base: dict[str, int | float | str],
    first: dict[str, int | float | str],
    second: dict[str, int | float | str],
) -> None:
    shape = Shape.of(base)
    assert shape.with_sizes({}) == shape
    assert shape.with_sizes(first).with_sizes(second) == shape.with_sizes({**first, **second})


@given(SIZES)
def test_an_absent_size_is_a_key_error(sizes: dict[str, int | float | str]) -> None:
    shape = Shape.of(sizes)
    with pytest.raises(KeyError):
        shape["absent size"]


@given(st.integers(1, 1000))
def test_a_whole_positive_size_is_counted(value: int) -> None:
    assert Shape.of(width=value).count("width") == value


@pytest.mark.parametrize("value", [0, -3, 1.0, 2.5, "8", True, float("nan"), float("inf")])
def test_what_is_no_count_is_refused_with_its_value(value: int | float | str) -> None:
    with pytest.raises(ProblemError, match=f"width is {value!r}; give a whole number of at least 1"):
        Shape.of(width=value).count("width")


def test_a_missing_count_is_refused_by_name() -> None:
    with pytest.raises(ProblemError, match="depth is missing; give a whole number from 1 to 4"):
        Shape.of(width=3).count("depth", at_most=4)


def test_a_count_above_the_limit_is_refused_with_the_limit() -> None:
    with pytest.raises(ProblemError, match="channels is 5; give a whole number from 1 to 4"):
        Shape.of(channels=5).count("channels", at_most=4)


@pytest.mark.parametrize("value", [10**5000, -(10**5000), MAX_COUNT + 1], ids=["long", "negative", "just"])
def test_a_number_too_long_to_print_is_refused_all_the_same(value: int) -> None:
    with pytest.raises(ProblemError, match="beyond all reason"):
        Shape.of(width=value).count("width")


def test_kinds_tell_problems_apart_that_python_holds_to_be_equal() -> None:
    whole, decimal, truth = (
        Problem(data=Shape.of(samples=size), model=Shape.of(width=2)) for size in (1, 1.0, True)
    )
    assert whole == decimal == truth
    assert [problem.kinds for problem in (whole, decimal, truth)] == [(int, int), (float, int), (bool, int)]
