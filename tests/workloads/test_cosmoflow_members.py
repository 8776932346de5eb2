"""The ladder of the CosmoFlow family: members by what a sample costs."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import REFERENCE, Checkpointing, Normalisation
from cosmology.division import SampleDivision
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.members import (
    PLAIN,
    Member,
    Options,
    member,
    member_near,
    members_within,
    training_flops,
)
from workloads.cosmoflow.model_shape import ModelShape
from workloads.cosmoflow.operations import step_operations
from workloads.precision import Precision

COSMOFLOW = CosmoFlow()
REFERENCE_FLOPS = 192_090_785_280
RESOLUTIONS = st.sampled_from([8, 16, 32, 64, 128, 256])
OPTIONS = st.builds(
    Options, normalisation=st.sampled_from(Normalisation), checkpointing=st.sampled_from(Checkpointing)
)


def problem(resolution: int = 128, **model: float | str) -> Problem:
    return Problem(data=Shape.of(samples=8, resolution=resolution, channels=4), model=Shape.of(model))


@given(RESOLUTIONS, st.integers(1, 5), st.integers(1, 6), st.integers(1, 80), OPTIONS)
def test_the_closed_form_counts_what_the_operations_cost(
    resolution: int, channels: int, depth: int, width: int, options: Options
) -> None:
    architecture = member(resolution, channels, depth, width, options)
    operations = step_operations(SampleDivision(architecture=architecture), 1, Precision.FLOAT32)
    assert training_flops(architecture) == sum(operation.flops for operation in operations)


def test_the_reference_is_the_nearest_member_to_its_own_cost() -> None:
    found = member_near(REFERENCE_FLOPS, resolution=128, channels=4)
    assert found == Member(depth=1, width=32, flops_per_sample=REFERENCE_FLOPS)
    assert member(128, 4, found.depth, found.width) == REFERENCE


@pytest.mark.parametrize("exponent", range(9, 16))
@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_a_member_for_every_cost_from_a_gflop_to_a_pflop_is_met_within_an_eighth(
    exponent: int, resolution: int
) -> None:
    target = 10.0**exponent
    found = member_near(target, resolution=resolution, channels=4)
    assert found.flops_per_sample == training_flops(member(resolution, 4, found.depth, found.width))
    assert abs(found.deviation(target)) <= 0.125


@settings(max_examples=30)
@given(st.floats(10, 14), OPTIONS)
def test_a_given_depth_or_width_is_kept_and_the_other_follows(exponent: float, options: Options) -> None:
    target = 10.0**exponent
    by_depth = member_near(target, resolution=64, channels=4, depth=3, options=options)
    assert by_depth.depth == 3
    by_width = member_near(target, resolution=64, channels=4, width=by_depth.width, options=options)
    assert by_width.width == by_depth.width
    assert abs(math.log(by_width.flops_per_sample / target)) <= abs(
        math.log(by_depth.flops_per_sample / target)
    )


def test_both_depth_and_width_grow_up_the_ladder() -> None:
    ladder = [member_near(2.0**rung * REFERENCE_FLOPS, resolution=128, channels=4) for rung in range(13)]
    assert [one.depth for one in ladder] == sorted(one.depth for one in ladder)
    assert ladder[-1].depth > 16
    assert ladder[-1].width > 128
    depth_share, width_share = (
        math.log2(ladder[-1].depth) / 12,
        2 * math.log2(ladder[-1].width / 32) / 12,
    )
    assert depth_share == pytest.approx(0.5, abs=0.05)
    assert 0.3 < width_share < 0.55  # a residual convolution costs twice what the first of its stage does


@settings(max_examples=20)
@given(st.floats(8, 12), st.floats(0.02, 0.3))
def test_members_within_a_tolerance_are_all_of_them_and_no_others(exponent: float, tolerance: float) -> None:
    target = 10.0**exponent
    found = members_within(target, tolerance, resolution=32, channels=4, most_depth=6)
    depths = [one.depth for one in found]
    assert depths == sorted(set(depths))
    for depth in range(1, 7):
        nearest = member_near(target, resolution=32, channels=4, depth=depth)
        assert (nearest in found) == (abs(nearest.deviation(target)) <= tolerance)


@settings(max_examples=30)
@given(st.floats(-5, 8))
def test_each_step_of_the_compound_knob_doubles_what_a_sample_costs(phi: float) -> None:
    grown = COSMOFLOW.compound(problem(depth=1, width=32), phi)
    COSMOFLOW.check(grown)
    # Widths of 5 and 6 cost 31 % apart: no member is nearer to what lies between them.
    assert COSMOFLOW.sample_flops(grown) == pytest.approx(REFERENCE_FLOPS * 2**phi, rel=0.14)


def test_the_compound_knob_grows_data_and_model_and_keeps_what_it_does_not_know() -> None:
    base = problem(resolution=64, depth=1, width=16, checkpointing="stages")
    grown = COSMOFLOW.compound(base, 8)
    assert grown.data["samples"] == 8
    assert grown.data["resolution"] == 128
    assert grown.model["checkpointing"] == "stages"
    assert grown.model.count("depth") > 4
    assert grown.model.count("width") > 16


def test_a_model_asked_for_by_its_cost_is_that_member() -> None:
    cost = COSMOFLOW.cost(problem(flops_per_sample=1e12), batch_per_rank=2, precision="float32")
    found = member_near(1e12, resolution=128, channels=4)
    assert cost.flops_per_sample == found.flops_per_sample
    words = f"width {found.width}, depth {found.depth}"
    assert COSMOFLOW.describe(problem(flops_per_sample=1e12), "model") == words


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"flops_per_sample": 1e12, "depth": 1, "width": 8}, "all given; leave out depth, width, or both"),
        ({"flops_per_sample": 0}, "flops_per_sample is 0; give a number above 0"),
        ({"flops_per_sample": math.nan}, "flops_per_sample is nan"),
        ({"flops_per_sample": "much"}, "flops_per_sample is 'much'"),
        ({"flops_per_sample": 1e3}, "the nearest has width 1 and depth 1 and costs"),
        ({"flops_per_sample": 1e12, "width": 2.5}, "width is 2.5; give a whole number"),
        ({"depth": 1}, "width is missing"),
        ({"depth": 1, "width": 8, "checkpointing": "all"}, "checkpointing is 'all'; use none, stages"),
        ({"depth": 1, "width": 8, "normalisation": 3}, "normalisation is 3; use none, group"),
    ],
)
def test_models_that_cannot_be_found_are_refused_by_name(model: dict[str, float | str], fault: str) -> None:
    with pytest.raises(ProblemError) as caught:
        COSMOFLOW.check(problem(**model))
    assert fault in str(caught.value)


def test_options_are_told_and_keep_trends_apart() -> None:
    asked = problem(resolution=32, depth=2, width=8, checkpointing="stages", normalisation="group")
    cost = COSMOFLOW.cost(asked, batch_per_rank=1, precision="float32")
    assert cost.techniques == {"normalisation": "group", "checkpointing": "stages"}
    assert COSMOFLOW.describe(asked, "model") == "width 8, depth 2, group norm, stages computed again"
    plain = problem(resolution=32, depth=2, width=8, checkpointing="none")
    assert COSMOFLOW.cost(plain, batch_per_rank=1, precision="float32").techniques == {}


def test_a_shape_is_read_with_every_fault_at_once() -> None:
    faults: list[str] = []
    read = ModelShape.read(Shape.of(depth=0, width="x", heads=3), faults)
    assert len(faults) == 3
    assert read.options == PLAIN


@given(st.sampled_from(COSMOFLOW.following), st.data())
def test_no_cost_falls_with_a_size_that_may_follow(size: str, data: st.DataObject) -> None:
    base = problem(resolution=16, depth=1, width=4)
    choices = COSMOFLOW.choices(size, base)
    places = [data.draw(st.integers(0, min(len(choices) - 1, 40))) for _ in range(2)]
    low, high = sorted(choices[place] for place in places)
    shape = "data" if size in base.data else "model"
    costs = []
    for value in (low, high):
        sized = {"data": base.data, "model": base.model}
        sized[shape] = sized[shape].with_sizes({size: value})
        costs.append(COSMOFLOW.cost(Problem(**sized), batch_per_rank=1, precision="float32"))
    assert costs[0].flops <= costs[1].flops
    assert costs[0].peak_memory_bytes <= costs[1].peak_memory_bytes
    assert costs[0].dataset_bytes <= costs[1].dataset_bytes


def test_samples_that_follow_stay_within_what_given_universes_give() -> None:
    given_universes = Problem(
        data=Shape.of(samples=8, universes=4, resolution=64, channels=1), model=Shape.of(depth=1, width=4)
    )
    choices = COSMOFLOW.choices("samples", given_universes)
    for samples in (choices[0], choices[-1]):
        sized = given_universes.data.with_sizes({"samples": samples})
        COSMOFLOW.check(Problem(data=sized, model=given_universes.model))
    with pytest.raises(ProblemError, match="'universes' cannot follow"):
        COSMOFLOW.choices("universes", given_universes)
