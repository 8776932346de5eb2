"""What is parked, how far ahead it is fetched, and what a pass is expected to take."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import ProblemError
from workloads.energon.parking_plan import (
    LayerTimes,
    StageBytes,
    best_distance,
    bound_ns,
    fewest_parked,
    num_buffers,
    parked_layers,
    pass_times_ns,
    plan_parking,
)
from workloads.transformer.split import Span

TIMES = st.floats(1.0, 1e9)


@st.composite
def stages(draw: st.DrawFn) -> tuple[int, int]:
    num_layers = draw(st.integers(1, 40))
    return num_layers, draw(st.integers(0, num_layers))


@given(stages(), st.integers(0, 50))
def test_parked_layers_are_spread_evenly_also_round_the_end(stage: tuple[int, int], begin: int) -> None:
    num_layers, num_parked = stage
    parked = parked_layers(Span(begin, begin + num_layers), num_parked)
    assert len(set(parked)) == num_parked
    assert set(parked) <= set(range(begin, begin + num_layers))
    gaps = [
        following - layer
        for layer, following in zip(parked, (*parked[1:], *(p + num_layers for p in parked[:1])), strict=True)
    ]
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_half_of_the_layers_are_every_second_one() -> None:
    assert parked_layers(Span(0, 12), 6) == (1, 3, 5, 7, 9, 11)
    assert parked_layers(Span(6, 12), 2) == (8, 11)
    assert parked_layers(Span(3, 5), 2) == (3, 4)


@given(stages(), st.integers(0, 5), TIMES, TIMES)
def test_no_pass_is_faster_than_its_bound_nor_slower_than_one_thing_after_the_other(
    stage: tuple[int, int], distance: int, compute_ns: float, copy_ns: float
) -> None:
    num_layers, num_parked = stage
    times = LayerTimes(compute_ns=compute_ns, copy_ns=copy_ns)
    first_ns, steady_ns = pass_times_ns(num_layers, num_parked, times, distance)
    summed_ns = num_layers * compute_ns + num_parked * copy_ns
    assert bound_ns(num_layers, num_parked, times) <= min(first_ns, steady_ns) * (1 + 1e-9)
    assert max(first_ns, steady_ns) <= summed_ns * (1 + 1e-9)
    if distance == 0:
        assert steady_ns == pytest.approx(summed_ns)


@given(stages(), TIMES, TIMES)
def test_a_farther_distance_never_slows_a_pass(
    stage: tuple[int, int], compute_ns: float, copy_ns: float
) -> None:
    times = LayerTimes(compute_ns=compute_ns, copy_ns=copy_ns)
    passes = [pass_times_ns(*stage, times, distance)[1] for distance in range(6)]
    assert all(nearer >= farther * (1 - 1e-9) for nearer, farther in pairwise(passes))


def test_equal_times_of_every_second_layer_are_hidden_one_ahead() -> None:
    times = LayerTimes(compute_ns=10.0, copy_ns=20.0)
    first_ns, steady_ns = pass_times_ns(12, 6, times, 1)
    assert steady_ns == pytest.approx(120.0)
    assert first_ns == pytest.approx(130.0)
    assert pass_times_ns(12, 6, times, 0)[1] == pytest.approx(240.0)
    assert best_distance(12, 6, times) == 1


def test_a_distance_gains_nothing_where_nothing_is_parked_or_nothing_takes_time() -> None:
    assert best_distance(12, 0, LayerTimes(compute_ns=1.0, copy_ns=1.0)) == 0
    assert best_distance(12, 6, LayerTimes(compute_ns=1.0, copy_ns=1e-6)) == 0


@given(
    st.integers(1, 40), st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 50_000), st.integers(0, 4)
)
def test_what_stays_and_the_buffers_fit_the_budget_and_no_layer_is_parked_in_vain(
    num_layers: int, layer_bytes: int, other_bytes: int, budget_bytes: int, distance: int
) -> None:
    stage = StageBytes(num_layers=num_layers, layer_bytes=layer_bytes, other_bytes=other_bytes)
    least_bytes = other_bytes + num_buffers(num_layers, distance) * layer_bytes
    if budget_bytes < least_bytes:
        with pytest.raises(ProblemError, match=f"keeps {least_bytes} bytes"):
            fewest_parked(budget_bytes, stage, distance)
        return
    num_parked = fewest_parked(budget_bytes, stage, distance)
    assert stage.resident_bytes(num_parked, distance) <= budget_bytes
    assert num_parked == 0 or stage.resident_bytes(num_parked - 1, distance) > budget_bytes


@given(st.integers(4, 30), TIMES, TIMES, st.floats(0.3, 1.2))
def test_a_plan_keeps_to_its_budget_and_is_no_slower_than_fetching_on_demand(
    num_layers: int, compute_ns: float, copy_ns: float, share: float
) -> None:
    stage = StageBytes(num_layers=num_layers, layer_bytes=100, other_bytes=7)
    times = LayerTimes(compute_ns=compute_ns, copy_ns=copy_ns)
    budget_bytes = int(share * (num_layers * 100 + 7))
    plan = plan_parking(budget_bytes, stage, times)
    assert plan.resident_bytes <= budget_bytes
    on_demand = fewest_parked(budget_bytes, stage, 0)
    assert plan.pass_ns <= pass_times_ns(num_layers, on_demand, times, 0)[1]
    assert plan.bound_ns <= plan.pass_ns * (1 + 1e-9)
    if share >= 1:
        assert plan.num_parked == 0
