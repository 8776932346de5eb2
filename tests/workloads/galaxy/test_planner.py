from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.galaxy_clusters import part_of
from tests.workloads.galaxy.plan_samples import MBIT, ROOMY, cluster, clusters, device, small
from workloads.galaxy.forecasting.forecast import forecast
from workloads.galaxy.memory import Load
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.explanation import Limit
from workloads.galaxy.planning.heuristic import even_split, galaxys_heuristic
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.planner import plan_cluster
from workloads.galaxy.planning.remedy import enough_bytes
from workloads.galaxy.profile import ClusterProfile, LinkProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.ladder import named

GPT2 = small()
TOKENS = 48


def latency(of: ClusterProfile, **asked: object) -> float:
    try:
        return plan_cluster(GPT2, of, TOKENS, 4, **asked).forecast.latency_ns  # type: ignore[arg-type]
    except PlanError:
        return float("inf")


@pytest.mark.slow
@settings(max_examples=15)
@given(clusters(most=4), st.integers(0, 4), st.integers(1, 100))
def test_a_plan_shares_all_of_the_model_and_fits(of: ClusterProfile, num_new: int, num_tokens: int) -> None:
    try:
        planned = plan_cluster(GPT2, of, num_tokens, 4, num_new_tokens=num_new)
    except PlanError as error:
        assert "MB" in str(error)  # noqa: PT017
        return
    plan = planned.plan
    assert len(set(plan.devices)) == len(plan.parts)
    if plan.strategy in (Strategy.HYBRID, Strategy.TENSOR):
        assert sum(len(part.share.kv_heads) for part in plan.parts) == GPT2.num_kv_heads
        assert sum(len(part.share.ffn_columns) for part in plan.parts) == GPT2.ffn_size
        assert sum(len(part.share.vocabulary) for part in plan.parts) == GPT2.vocab_size
    if plan.strategy is Strategy.PIPELINE:
        assert sum(len(part.layers) for part in plan.parts) == GPT2.num_layers
    held = zip(plan.devices, planned.forecast.memory_bytes, strict=True)
    assert all(num_bytes <= of.devices[number].memory_bytes for number, num_bytes in held)
    again = forecast(GPT2, plan, of, num_tokens, 4, num_new_tokens=num_new)
    assert again == planned.forecast
    assert {one.strategy for one in planned.rejected} | {plan.strategy} == set(Strategy)


@pytest.mark.slow
@settings(max_examples=5)
@given(clusters(least=2, most=4))
def test_no_subset_of_devices_is_faster(of: ClusterProfile) -> None:
    problem = PlanProblem(architecture=GPT2, cluster=of, load=Load(num_tokens=TOKENS, itemsize=4))
    whole = latency(of)
    for size in range(1, len(of.devices)):
        for devices in combinations(range(len(of.devices)), size):
            assert whole <= latency(part_of(problem, devices).cluster) * (1 + 1e-9)


@pytest.mark.slow
@settings(max_examples=6)
@given(clusters(least=2, most=4), st.integers(0, 1), st.floats(1.0, 5.0))
def test_a_faster_link_does_not_slow_plans(of: ClusterProfile, place: int, factor: float) -> None:
    def faster(link: LinkProfile) -> LinkProfile:
        return replace(link, rate=link.rate * factor)

    links = tuple(tuple(map(faster, row)) if place == number else row for number, row in enumerate(of.links))
    # Searches over tiles and rows stop early: what they miss is little.
    assert latency(replace(of, links=links)) <= latency(of) * 1.03


@pytest.mark.slow
@settings(max_examples=4)
@given(clusters(most=4))
def test_the_same_question_has_the_same_answer(of: ClusterProfile) -> None:
    if latency(of) < float("inf"):
        assert plan_cluster(GPT2, of, TOKENS, 4) == plan_cluster(GPT2, of, TOKENS, 4)


@pytest.mark.slow
@settings(max_examples=8)
@given(clusters(most=4))
def test_where_nothing_fits_the_memory_that_is_advised_does(of: ClusterProfile) -> None:
    tight = replace(of, devices=tuple(replace(one, memory_bytes=300_000) for one in of.devices))
    with pytest.raises(PlanError, match=r"Give device\d [\d.]+ MB in place of 0.3 MB, or add devices"):
        plan_cluster(GPT2, tight, TOKENS, 4)
    problem = PlanProblem(architecture=GPT2, cluster=tight, load=Load(num_tokens=TOKENS, itemsize=4))
    wanted = enough_bytes(problem, 0)
    assert wanted is not None
    cured = (replace(tight.devices[0], memory_bytes=wanted), *tight.devices[1:])
    assert latency(replace(tight, devices=cured)) < float("inf")


def test_slow_links_leave_the_work_to_one_and_say_so() -> None:
    planned = plan_cluster(named("bert-large"), cluster(*[device(100)] * 4, mbit=125), 284, 4)
    assert planned.plan.strategy is Strategy.LOCAL
    assert planned.explanation.limit is Limit.COMPUTE
    (words,) = [words for words in planned.explanation.sentences if "lose to one" in words]
    assert words.startswith("4 devices at 125 Mbit/s lose to one: 0.")
    assert planned.explanation.figures["all_together_over_this"] < 0.7


def test_fast_links_bring_devices_together_by_their_speeds() -> None:
    of = cluster(device(20), device(10), device(5), mbit=1000)
    planned = plan_cluster(named("bert-large"), of, 284, 4)
    assert planned.plan.strategy is Strategy.HYBRID
    heads = {part.device: len(part.share.kv_heads) for part in planned.plan.parts}
    assert heads[0] > heads[1] > heads[2]
    assert planned.explanation.figures["over_one_device"] > 1.4
    assert (
        planned.forecast.latency_ns
        < forecast(named("bert-large"), even_split(named("bert-large"), of), of, 284, 4).latency_ns / 1.8
    )


def test_slow_links_are_named_as_the_limit_and_fewer_bytes_help() -> None:
    of = cluster(*[device(20)] * 3, mbit=30)
    exact = plan_cluster(named("bert-large"), of, 284, 4)
    coded = plan_cluster(named("bert-large"), of, 284, 4, wires=(WireFormat.EXACT, WireFormat.INT8))
    assert exact.explanation.limit is Limit.LINK
    assert "Links are the limit" in exact.explanation.sentences[-1]
    assert coded.plan.wire is WireFormat.INT8
    assert coded.forecast.latency_ns < 0.8 * exact.forecast.latency_ns


def test_long_delays_leave_the_generation_of_tokens_to_one() -> None:
    of = cluster(device(20), device(20), mbit=1000, delay_ms=10)
    alone = plan_cluster(named("gpt2-124m"), of, 64, 4, num_new_tokens=64)
    assert alone.plan.strategy is Strategy.LOCAL


def test_models_that_no_device_holds_are_shared_and_memory_is_named() -> None:
    of = cluster(device(20, 900_000_000), device(1, 1_200_000_000), mbit=1000)
    planned = plan_cluster(named("bert-large"), of, 284, 4)
    assert len(planned.plan.parts) == 2
    assert planned.explanation.limit is Limit.MEMORY
    assert any("No device holds the model alone" in words for words in planned.explanation.sentences)


def test_layers_go_to_a_pipeline_where_links_are_slow_and_memory_is_short() -> None:
    of = cluster(device(20, 900_000_000), device(20, 900_000_000), mbit=10, delay_ms=10)
    planned = plan_cluster(named("bert-large"), of, 284, 4)
    assert planned.plan.strategy is Strategy.PIPELINE


def test_memory_that_is_reserved_is_not_planned_with() -> None:
    of = cluster(device(20, 3_000_000), device(20, 3_000_000))
    free = plan_cluster(GPT2, of, TOKENS, 4)
    kept = plan_cluster(GPT2, of, TOKENS, 4, reserve_bytes=1_300_000)
    assert max(kept.forecast.memory_bytes) <= 1_700_000 < max(free.forecast.memory_bytes)


def test_questions_without_an_answer_are_refused() -> None:
    of = cluster(device(1))
    with pytest.raises(PlanError, match="0 tokens and 0 new ones"):
        plan_cluster(GPT2, of, 0, 4)
    with pytest.raises(PlanError, match="the model takes 1024"):
        plan_cluster(GPT2, of, 1024, 4, num_new_tokens=1)
    with pytest.raises(PlanError, match="give one for each two of them"):
        plan_cluster(GPT2, replace(of, devices=(device(1), device(2))), 4, 4)
    with pytest.raises(PlanError, match="at least one of each"):
        plan_cluster(GPT2, of, 4, 4, strategies=())


@given(clusters(most=4))
def test_even_shares_give_what_is_left_to_the_fastest(of: ClusterProfile) -> None:
    plan = even_split(GPT2, of)
    heads = [len(part.share.kv_heads) for part in plan.parts]
    rates = [one.product_rates[-1] for one in of.devices]
    assert sum(heads) == GPT2.num_kv_heads
    assert max(heads) - min(heads) <= GPT2.num_kv_heads % len(heads)
    assert heads[rates.index(max(rates))] == max(heads)


@given(clusters(most=4))
def test_galaxys_heuristic_fits_or_says_that_it_does_not(of: ClusterProfile) -> None:
    try:
        plan = galaxys_heuristic(GPT2, of, TOKENS, 4)
    except PlanError:
        return
    assert plan.strategy is Strategy.HYBRID
    assert plan.num_tiles == 1
    assert len(plan.parts) == len(of.devices)
    memory = forecast(GPT2, plan, of, TOKENS, 4).memory_bytes
    assert all(held <= one.memory_bytes for held, one in zip(memory, of.devices, strict=True))


def test_galaxys_heuristic_shares_by_speed() -> None:
    plan = galaxys_heuristic(named("bert-large"), cluster(device(20), device(10), device(5)), 284, 4)
    assert [len(part.share.kv_heads) for part in plan.parts] in ([9, 5, 2], [9, 4, 3], [10, 4, 2])


def test_links_that_differ_are_used_in_a_good_order() -> None:
    fast, slow = (LinkProfile(delay_ns=1e5, rate=rate * MBIT) for rate in (1000, 20))
    good = {(0, 2), (2, 1), (1, 3), (3, 0)}
    links = tuple(
        tuple(fast if (sender, receiver) in good else slow for receiver in range(4)) for sender in range(4)
    )
    of = ClusterProfile(devices=tuple(device(5, ROOMY, f"device{place}") for place in range(4)), links=links)
    plan = plan_cluster(named("bert-base"), of, 256, 4, strategies=(Strategy.HYBRID,)).plan
    assert len(plan.parts) == 4
    turned = (*plan.devices[1:], plan.devices[0])
    assert set(zip(plan.devices, turned, strict=True)) == good


def test_the_last_device_has_more_rows_where_links_are_slow() -> None:
    """Keys and values of a decoder go to later devices: a link that holds all back carries fewer rows."""
    of = cluster(device(20), device(20), device(20), mbit=60)
    found = plan_cluster(GPT2, of, 96, 4, strategies=(Strategy.SEQUENCE,))
    weights = [part.row_weight for part in found.plan.parts]
    even = replace(found.plan, parts=tuple(replace(part, row_weight=1.0) for part in found.plan.parts))
    assert weights[-1] > 1.2 * weights[0]
    assert found.forecast.latency_ns < 0.95 * forecast(GPT2, even, of, 96, 4).latency_ns


def test_where_all_have_room_memory_is_no_limit() -> None:
    found = plan_cluster(GPT2, cluster(device(4), device(2), device(1)), TOKENS, 4)
    assert found.explanation.gains[Limit.MEMORY] == 1.0


def test_links_without_end_are_no_limit() -> None:
    link = LinkProfile(delay_ns=0.0, rate=float("inf"))
    of = replace(cluster(device(2), device(1)), links=((link, link), (link, link)))
    found = plan_cluster(GPT2, of, TOKENS, 4)
    assert found.forecast.latency_ns < plan_cluster(GPT2, cluster(device(2)), TOKENS, 4).forecast.latency_ns


@pytest.mark.parametrize("sizes", [{"num_layers": 1}, {"num_kv_heads": 1}])
def test_more_devices_than_all_subsets_are_tried_of_plan_what_only_one_can_do(sizes: dict[str, int]) -> None:
    architecture = replace(GPT2, **sizes)  # type: ignore[arg-type]
    planned = plan_cluster(architecture, cluster(*[device(5)] * 9, mbit=1), TOKENS, 4)
    assert planned.plan.strategy in (Strategy.LOCAL, Strategy.SEQUENCE)


def test_long_delays_let_rows_travel_in_one_tile() -> None:
    many = cluster(*[device(2)] * 4, mbit=1000, delay_ms=20)
    planned = plan_cluster(named("bert-base"), many, 400, 4, strategies=(Strategy.SEQUENCE,))
    others = [
        plan_cluster(named("bert-base"), many, 400, 4, strategies=(Strategy.SEQUENCE,), num_tiles=count)
        for count in (1, 2, 4, 8, 16)
    ]
    assert planned.forecast.latency_ns == min(one.forecast.latency_ns for one in others)
