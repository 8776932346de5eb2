import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import REFERENCE
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.data_sizes import DATA_SIZES
from workloads.cosmoflow.model_shape import MODEL_SIZES
from workloads.cosmoflow.shapes import CosmoFlowShape

DATA = Shape.of(samples=512, resolution=32, channels=4)
MODEL = Shape.of(depth=2, width=8)
ANYTHING = (
    st.integers(-3, 2000)
    | st.sampled_from([8, 16, 32, 64, 128, 256, 512, 1024, 2**14, 10**400, 10**5000, -(10**5000)])
    | st.floats()
    | st.text(max_size=4)
    | st.booleans()
)


def fault_of(data: Shape = DATA, model: Shape = MODEL) -> str:
    with pytest.raises(ProblemError) as caught:
        CosmoFlow().check(Problem(data=data, model=model))
    return str(caught.value)


@given(
    st.dictionaries(st.sampled_from([*DATA_SIZES, "epochs"]), ANYTHING),
    st.dictionaries(st.sampled_from([*MODEL_SIZES, "heads"]), ANYTHING),
)
def test_any_problem_is_either_built_or_refused_by_a_problem_error(
    data: dict[str, int | float | str], model: dict[str, int | float | str]
) -> None:
    point = Problem(data=Shape.of(data), model=Shape.of(model))
    try:
        CosmoFlow().check(point)
    except ProblemError:
        return
    shape = CosmoFlowShape.from_problem(point)
    assert shape.architecture().resolution == shape.resolution
    assert shape.dataset(seed=1).num_samples == shape.samples


@given(
    st.integers(1, 10**6),
    st.sampled_from([8, 16, 32, 64, 128, 256, 512]),
    st.integers(1, 4),
)
def test_without_universes_enough_are_chosen(samples: int, resolution: int, channels: int) -> None:
    data = Shape.of(samples=samples, resolution=resolution, channels=channels)
    shape = CosmoFlowShape.from_problem(Problem(data=data, model=MODEL))
    definition = shape.dataset(seed=0)
    assert 8 * shape.universes >= samples
    assert shape.universes * definition.crops_per_universe >= samples
    fewer = shape.universes - 1
    assert fewer * min(8, definition.crops_per_universe) < samples


def test_the_reference_problem_makes_the_reference_network() -> None:
    data = Shape.of(samples=8, resolution=128, channels=4)
    shape = CosmoFlowShape.from_problem(Problem(data=data, model=Shape.of(depth=1, width=32)))
    assert shape.architecture() == REFERENCE


def test_sizes_decide_the_data_set() -> None:
    shape = CosmoFlowShape.from_problem(Problem(data=DATA.with_sizes({"universes": 100}), model=MODEL))
    definition = shape.dataset(seed=9)
    assert (definition.seed, definition.num_samples, definition.num_universes) == (9, 512, 100)
    assert (definition.resolution, definition.num_channels) == (32, 4)
    assert definition.num_samples * shape.data.sample_bytes == shape.data.dataset_bytes


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ({"resolution": 33}, "resolution 33 is not a power of two of at least 8"),
        ({"resolution": 4}, "resolution 4 is not a power of two of at least 8"),
        ({"resolution": 2048}, "resolution is 2048; give a whole number from 1 to 1024"),
        ({"channels": 17}, "channels is 17; give a whole number from 1 to 16"),
        ({"channels": 0}, "channels is 0; give a whole number from 1 to 16"),
        ({"samples": -2}, "samples is -2; give a whole number from 1"),
        ({"universes": 513}, "samples (512) are fewer than universes (513)"),
        ({"universes": 0}, "universes is 0"),
        ({"samples": 4000, "universes": 10}, "10 universes give at most 3840 different samples of 32^3"),
        ({"epochs": 3}, "the data shape has no size 'epochs'; its sizes are samples, resolution, channels"),
    ],
)
def test_data_that_cannot_be_made_is_refused_by_name(sizes: dict[str, int], fault: str) -> None:
    assert fault in fault_of(data=DATA.with_sizes(sizes))


@pytest.mark.parametrize(
    ("sizes", "fault"),
    [
        ({"depth": 0}, "depth is 0; give a whole number from 1 to 1024"),
        ({"width": 2.5}, "width is 2.5; give a whole number"),
        ({"width": 10**9}, "width is 1000000000; give a whole number from 1 to 65536"),
        ({"heads": 3}, "the model shape has no size 'heads'; its sizes are depth, width"),
    ],
)
def test_a_model_that_cannot_be_built_is_refused_by_name(sizes: dict[str, int], fault: str) -> None:
    assert fault in fault_of(model=MODEL.with_sizes(sizes))


def test_too_few_universes_are_refused_with_how_many_would_do() -> None:
    fault = fault_of(data=DATA.with_sizes({"samples": 4000, "universes": 10}))
    assert "give at least 11 universes" in fault


def test_all_that_is_wrong_is_told_at_once() -> None:
    fault = fault_of(Shape.of(resolution=33, channels=90, bands=1), Shape.of(width=8))
    assert len(fault.splitlines()) == 5
    for words in ("'bands'", "samples is missing", "channels is 90", "depth is missing", "resolution 33"):
        assert words in fault
